//! Knative's `scaling/autoscaler_test.go`, without what it says of the excess burst capacity: whether the activator
//! is in the path is no question where every request passes it.

use crate::autoscaler::cases::{Row, check_rows};

use super::*;

const UNREACHABLE: &str = "all revisions are reachable";
const RPS: &str = "requests per second are not counted: a stream would look idle";

/// The fixture of Knative's test.
fn rules(target: f64) -> Rules {
    Rules {
        target,
        panic_threshold: 2.0,
        stable_window: seconds(60),
        activation_scale: None,
        scale_down_delay: Duration::ZERO,
        max_scale_up_rate: 10.0,
        max_scale_down_rate: 10.0,
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// At this second, with so many ready, and these averages: stable and panic, so many are wanted.
struct Step(u64, u32, f64, f64, u32);

impl Step {
    fn check(&self, decisions: &mut Decisions) {
        let &Self(at, ready, stable, panic, expected) = self;
        let desired = decisions.decide(stable, panic, ready, seconds(at));
        assert_eq!(desired, expected, "{stable} and {panic} at {at} s");
    }
}

/// Instances that are ready at creation, rules, and steps.
type Case = (u32, Rules, Vec<Step>);

fn check((ready, rules, steps): &Case) {
    let mut decisions = Decisions::new(rules.clone(), *ready, Duration::ZERO);
    for step in steps {
        step.check(&mut decisions);
    }
}

/// One decision, by scalers that were created with one instance.
fn one(target: f64, ready: u32, stable: f64, panic: f64, expected: u32) -> Case {
    (
        1,
        rules(target),
        vec![Step(0, ready, stable, panic, expected)],
    )
}

fn with(change: impl FnOnce(&mut Rules), mut case: Case) -> Case {
    change(&mut case.1);
    case
}

/// Begins in a panic that has lasted for 5 s, with 5 instances as its largest decision.
fn in_panic(ready: u32, stable: f64, panic: f64, expected: u32) -> Case {
    (5, rules(1.0), vec![Step(5, ready, stable, panic, expected)])
}

#[test]
fn decisions_are_those_of_knative() {
    let activation = |rules: &mut Rules| rules.activation_scale = Some(2);
    let slowly_up = |rules: &mut Rules| rules.max_scale_up_rate = 1.1;
    let slowly_down = |rules: &mut Rules| rules.max_scale_down_rate = 1.1;
    let rows = &[
        Row::Holds("stable", one(10.0, 1, 50.0, 10.0, 5)),
        Row::Holds("more", one(10.0, 1, 100.0, 10.0, 10)),
        Row::Excluded("rps: 10, 1, 50, 50: 5", RPS),
        Row::Excluded("rps: 10, 1, 100, 99: 10", RPS),
        Row::Holds(
            "up to 10, then half the load",
            (
                1,
                rules(10.0),
                vec![Step(0, 8, 100.0, 100.0, 10), Step(0, 8, 50.0, 50.0, 5)],
            ),
        ),
        Row::Holds(
            "little, then nothing",
            (
                1,
                rules(10.0),
                vec![Step(0, 1, 1.0, 0.0, 1), Step(0, 1, 0.0, 0.0, 0)],
            ),
        ),
        Row::Holds("nothing", with(activation, one(10.0, 1, 0.0, 0.0, 0))),
        Row::Holds("activation", with(activation, one(10.0, 1, 1.0, 0.0, 2))),
        Row::Holds("no load", one(10.0, 1, 0.0, 0.0, 0)),
        Row::Holds("much room", one(181.0, 1, 21.0, 26.0, 1)),
        Row::Holds("49", one(10.0, 1, 50.0, 49.0, 5)),
        Row::Holds("50", one(10.0, 1, 50.0, 50.0, 5)),
        Row::Holds("5 ready", one(10.0, 5, 50.0, 50.0, 5)),
        Row::Holds("stable above panic", in_panic(5, 50.0, 30.0, 50)),
        Row::Holds("panic above stable", in_panic(5, 20.0, 30.0, 30)),
        Row::Holds("slowly up", with(slowly_up, one(1.0, 2, 3.0, 3.1, 3))),
        Row::Holds(
            "slowly down",
            with(slowly_down, one(10.0, 100, 1.0, 1.0, 90)),
        ),
        Row::Excluded("unreachable: 10, 100, 1, 1: 1", UNREACHABLE),
        Row::Holds("panic wins", one(10.0, 1, 50.0, 100.0, 10)),
        Row::Holds("none ready", one(10.0, 0, 1000.0, 888.0, 10)),
        Row::Excluded(
            "pods cannot be counted: invalid",
            "the launcher knows its instances",
        ),
        Row::Excluded(
            "no data: invalid",
            "who has instances here is recorded each second; nothing recorded is 0",
        ),
    ];
    // Two rows of the table that follow the one before are its second step.
    check_rows(rows, 17, 5, check);
}

#[test]
fn sequences_are_those_of_knative() {
    let up = |target, start, steps| (start, rules(target), steps);
    let sixfold = vec![
        Step(0, 1, 6.0, 6.0, 6),
        Step(0, 6, 36.0, 36.0, 36),
        Step(0, 36, 216.0, 216.0, 216),
        Step(0, 216, 1296.0, 1296.0, 1296),
        Step(0, 1296, 1296.0, 1296.0, 1296),
    ];
    let then_down = vec![
        Step(0, 1, 100.0, 100.0, 10),
        Step(0, 10, 100.0, 1000.0, 100),
        Step(30, 10, 1.0, 1.0, 100),
        Step(61, 10, 1.0, 1.0, 1),
    ];
    let rate_up = vec![
        Step(0, 1, 1000.0, 1001.0, 10),
        Step(0, 10, 1000.0, 1001.0, 100),
    ];
    let rate_down = vec![Step(0, 100, 1.0, 1.0, 10), Step(0, 10, 1.0, 1.0, 1)];
    let rows = &[
        Row::Holds("exponential", up(1.0, 1, sixfold)),
        Row::Holds("panic, then down", up(10.0, 1, then_down)),
        Row::Holds("rate up", up(10.0, 1, rate_up)),
        Row::Holds("rate down", up(10.0, 1, rate_down)),
    ];
    check_rows(rows, 4, 0, check);
}

#[test]
fn a_panic_ends_a_window_after_its_last_cause() {
    let mut decisions = Decisions::new(rules(1.0), 1, Duration::ZERO);
    Step(0, 10, 11.0, 25.0, 25).check(&mut decisions);
    assert_eq!(decisions.panic_since, Some(seconds(0)));
    Step(30, 40, 30.0, 41.0, 41).check(&mut decisions);
    assert_eq!(decisions.panic_since, Some(seconds(0)));
    Step(62, 55, 50.0, 56.0, 50).check(&mut decisions);
    assert_eq!(decisions.panic_since, None);
    assert_eq!(decisions.max_panic, 0);
}

#[test]
fn a_panic_is_extended_by_a_new_cause() {
    let mut decisions = Decisions::new(rules(1.0), 1, Duration::ZERO);
    Step(0, 10, 11.0, 25.0, 25).check(&mut decisions);
    Step(30, 40, 30.0, 80.0, 80).check(&mut decisions);
    assert_eq!(decisions.panic_since, Some(seconds(30)));
    Step(90, 80, 0.0, 0.0, 80).check(&mut decisions);
    assert!(decisions.in_panic(), "just a window after it");
    Step(91, 80, 0.0, 0.0, 8).check(&mut decisions);
    assert!(!decisions.in_panic());
}

#[test]
fn a_new_target_counts_at_once() {
    let mut decisions = Decisions::new(rules(10.0), 1, Duration::ZERO);
    Step(0, 1, 100.0, 101.0, 10).check(&mut decisions);
    decisions.set_rules(rules(1.0));
    Step(0, 10, 100.0, 101.0, 100).check(&mut decisions);
}

#[test]
fn with_several_ready_it_begins_in_a_panic() {
    for (ready, expected) in [(0, None), (1, None), (2, Some(seconds(7)))] {
        let decisions = Decisions::new(rules(10.0), ready, seconds(7));
        assert_eq!(decisions.panic_since, expected, "{ready} ready");
        assert_eq!(decisions.max_panic, ready);
    }
}

/// The last table of Knative's test: one history. In milliseconds, and what is in flight.
#[test]
fn the_scale_down_delay_is_that_of_knative() {
    let delayed = |delay: Duration| Rules {
        panic_threshold: 100.0,
        scale_down_delay: delay,
        ..rules(10.0)
    };
    let check = |delay, steps: &[(u64, f64, u32)]| {
        let mut decisions = Decisions::new(delayed(delay), 0, Duration::ZERO);
        for &(at, load, expected) in steps {
            let now = Duration::from_millis(at);
            let desired = decisions.decide(load, load, 0, now);
            assert_eq!(desired, expected, "{load} at {now:?}");
        }
    };
    let minute = 60_000;
    let one_history = vec![
        (2000, 40.0, 4),
        (5 * minute, 0.0, 4),
        (5 * minute + 2000, 0.0, 0),
        (9 * minute, 40.0, 4),
        (10 * minute, 30.0, 4),
        (11 * minute, 0.0, 4),
        (14 * minute, 0.0, 3),
        (15 * minute, 0.0, 0),
    ];
    let rows = &[
        Row::Holds("5 minutes", (seconds(300), one_history)),
        Row::Excluded("unreachable in between: 4, 4, 0", UNREACHABLE),
        Row::Holds(
            "none",
            (Duration::ZERO, vec![(2000, 40.0, 4), (2500, 20.0, 2)]),
        ),
    ];
    check_rows(rows, 2, 1, |(delay, steps)| check(*delay, steps));
}

/// With the defaults of Knative: a target of 0.7 times the capacity, threshold 2, rates 1000 and 2.
#[test]
fn decisions_are_those_of_knative_in_production() {
    let production = |capacity: f64| Rules {
        max_scale_up_rate: MAX_SCALE_UP_RATE,
        max_scale_down_rate: MAX_SCALE_DOWN_RATE,
        ..rules(capacity * 0.7)
    };
    for (capacity, ready, stable, panic, expected, in_panic) in [
        (100.0, 0, 1.0, 1.0, 1, false),
        (100.0, 1, 70.0, 70.0, 1, false),
        (100.0, 1, 71.0, 71.0, 2, true),
        (100.0, 1, 100.0, 141.0, 3, true),
        (100.0, 2, 100.0, 100.0, 2, false),
        (100.0, 3, 100.0, 89.0, 2, false),
        (100.0, 3, 100.0, 90.0, 2, false),
        (100.0, 10, 0.0, 0.0, 5, false),
        (100.0, 1, 0.0, 0.0, 0, false),
        (1.0, 0, 1.0, 1.0, 2, true),
        (1.0, 1, 1.0, 1.0, 2, true),
        (1.0, 5, 5.0, 5.0, 8, false),
        (1.0, 300, 80.0, 80.0, 150, false),
        (10.0, 1, 7.0, 7.0, 1, false),
        (10.0, 1, 8.0, 8.0, 2, true),
        (10.0, 25, 10.0, 10.0, 12, false),
    ] {
        let mut decisions = Decisions::new(production(capacity), 1, Duration::ZERO);
        Step(0, ready, stable, panic, expected).check(&mut decisions);
        assert_eq!(decisions.in_panic(), in_panic, "{stable} of {ready}");
    }
}

#[test]
fn a_changed_delay_counts_from_now_on() {
    let delayed = |delay| Rules {
        scale_down_delay: delay,
        ..rules(1.0)
    };
    let mut decisions = Decisions::new(delayed(Duration::ZERO), 1, Duration::ZERO);
    Step(0, 4, 4.0, 4.0, 4).check(&mut decisions);
    decisions.set_rules(delayed(seconds(10)));
    Step(2, 4, 3.0, 3.0, 3).check(&mut decisions);
    Step(4, 4, 1.0, 1.0, 3).check(&mut decisions);
    decisions.set_rules(delayed(seconds(2)));
    Step(6, 4, 0.0, 0.0, 0).check(&mut decisions);
    decisions.set_rules(delayed(Duration::MAX));
    Step(8, 4, 2.0, 2.0, 2).check(&mut decisions);
    Step(8 + 3599, 4, 0.0, 0.0, 2).check(&mut decisions);
    Step(8 + 3600, 4, 0.0, 0.0, 0).check(&mut decisions);
}
