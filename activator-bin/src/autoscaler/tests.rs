//! The whole, from the load to the number. The parts have tests of their own.

use super::*;

mod naive;
mod properties;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One revision on a machine where each instance that is wanted is ready at the next tick.
struct Machine {
    autoscaler: Autoscaler,
    second: u64,
    ready: u32,
}

impl Machine {
    fn new(settings: &ScaleSettings, container_concurrency: u32) -> Self {
        Self {
            autoscaler: Autoscaler::new(settings, container_concurrency, 0, Duration::ZERO),
            second: 0,
            ready: 0,
        }
    }

    /// A first request comes: it is reported at once.
    fn first_request(&mut self) {
        let now = self.now(100);
        self.autoscaler.record(1.0, now);
        self.ready = self.autoscaler.tick(0, now);
    }

    /// So much is in flight in each of so many seconds: reported in their middle.
    fn load(&mut self, concurrency: f64, seconds: u64) {
        for _ in 0..seconds {
            self.second += 1;
            if self.ready > 0 {
                self.autoscaler.record(concurrency, self.now(500));
            }
            if self.second.is_multiple_of(2) {
                self.ready = self.autoscaler.tick(self.ready, self.now(600));
            }
        }
    }

    fn now(&self, millis: u64) -> Duration {
        seconds(self.second) + Duration::from_millis(millis)
    }

    fn in_panic(&self) -> bool {
        self.autoscaler.decisions.in_panic()
    }
}

#[test]
fn one_request_at_a_time_needs_one_instance_and_no_panic() {
    for container_concurrency in [1, 2, 3, 10, 0] {
        let mut machine = Machine::new(&ScaleSettings::new(8), container_concurrency);
        machine.first_request();
        for _ in 0..600 {
            machine.load(1.0, 1);
            assert_eq!(machine.ready, 1);
            assert!(!machine.in_panic());
        }
    }
}

#[test]
fn one_request_is_followed_by_zero_after_the_window() {
    let mut machine = Machine::new(&ScaleSettings::new(8), 1);
    machine.first_request();
    machine.load(0.0, 59);
    assert_eq!(machine.ready, 1);
    machine.load(0.0, 3);
    assert_eq!(machine.ready, 0);
    // What was before does not count: a second request is as the first.
    machine.load(0.0, 100);
    machine.first_request();
    machine.load(1.0, 2);
    assert_eq!(machine.ready, 1);
    assert!(!machine.in_panic());
}

#[test]
fn load_is_followed_up_and_down_again() {
    let settings = ScaleSettings {
        stable_window: seconds(6),
        ..ScaleSettings::new(8)
    };
    let mut machine = Machine::new(&settings, 1);
    machine.first_request();
    machine.load(100.0, 2);
    assert_eq!(machine.ready, 8, "no more than there may be");
    machine.load(100.0, 100);
    assert_eq!(machine.ready, 8);
    let mut steps = Vec::new();
    for load in [3.0, 0.0] {
        for _ in 0..50 {
            machine.load(load, 2);
            steps.push(machine.ready);
        }
    }
    steps.dedup();
    assert_eq!(
        steps,
        [8, 4, 3, 2, 1, 0],
        "at most half of them end at once"
    );
}

#[test]
fn new_settings_count_from_now_on() {
    let mut settings = ScaleSettings::new(8);
    let mut machine = Machine::new(&settings, 10);
    machine.first_request();
    machine.load(7.0, 20);
    assert_eq!(machine.ready, 1);
    settings.target_utilization = Some(0.35);
    machine
        .autoscaler
        .set_settings(&settings, 10, machine.now(0));
    machine.load(7.0, 2);
    assert_eq!(machine.ready, 2);
    settings.max_scale = 1;
    machine
        .autoscaler
        .set_settings(&settings, 10, machine.now(0));
    machine.load(7.0, 2);
    assert_eq!(machine.ready, 1);
    machine.autoscaler.set_min_scale(1);
    machine.load(0.0, 1000);
    assert_eq!(machine.ready, 1);
    settings.stable_window = seconds(6);
    machine
        .autoscaler
        .set_settings(&settings, 10, machine.now(0));
    machine.load(0.0, 2);
    assert_eq!(machine.ready, 0);
}
