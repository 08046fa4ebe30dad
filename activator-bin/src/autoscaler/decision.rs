//! How many instances the averages ask for: limits on the rate of change, the panic, and the scale-down delay.
//!
//! What must not live here: the limits on the number itself (see `bounds`).

use std::time::Duration;

use super::maximum::SlidingMaximum;

/// Times the instances that are ready: the most that a decision asks for.
pub(super) const MAX_SCALE_UP_RATE: f64 = 1000.0;
/// The instances that are ready, divided by it: the fewest that a decision asks for.
pub(super) const MAX_SCALE_DOWN_RATE: f64 = 2.0;
/// The length of the slots that the scale-down delay is measured in.
const DELAY_SLOT_SECONDS: u64 = 2;
/// The longest scale-down delay.
const LONGEST_DELAY: Duration = Duration::from_secs(60 * 60);

/// What a decision goes by.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// The concurrency that one instance should have.
    pub(super) target: f64,
    /// How many times the ready instances must be needed to start a panic.
    pub(super) panic_threshold: f64,
    /// For how long a panic goes on after its last cause.
    pub(super) stable_window: Duration,
    pub(super) activation_scale: Option<u32>,
    pub(super) scale_down_delay: Duration,
    pub(super) max_scale_up_rate: f64,
    pub(super) max_scale_down_rate: f64,
}

/// The decisions of one revision.
#[derive(Debug)]
pub(super) struct Decisions {
    rules: Rules,
    /// When there was last a cause of the panic that goes on.
    panic_since: Option<Duration>,
    /// The largest decision of the panic that goes on.
    max_panic: u32,
    delayed: SlidingMaximum,
}

impl Decisions {
    /// With several instances ready it starts in a panic, so that they are kept until the load is known.
    pub(super) fn new(rules: Rules, ready: u32, now: Duration) -> Self {
        Self {
            panic_since: (ready > 1).then_some(now),
            max_panic: ready,
            delayed: SlidingMaximum::new(delay_slots(&rules)),
            rules,
        }
    }

    /// Changes the rules. A panic goes on.
    pub(super) fn set_rules(&mut self, rules: Rules) {
        self.delayed.resize(delay_slots(&rules));
        self.rules = rules;
    }

    /// The number of instances that these averages ask for.
    pub(super) fn decide(&mut self, stable: f64, panic: f64, ready: u32, now: Duration) -> u32 {
        let rules = &self.rules;
        let ready = f64::from(ready.max(1));
        let most = whole((rules.max_scale_up_rate * ready).ceil());
        let fewest = whole((ready / rules.max_scale_down_rate).floor());
        let asked = |average: f64| {
            let needed = whole((average / rules.target).ceil());
            let limited = needed.max(fewest).min(most);
            let activation = rules.activation_scale.filter(|_| needed > 0);
            (needed, limited.max(activation.unwrap_or(0)))
        };
        let (_, by_stable) = asked(stable);
        let (needed, by_panic) = asked(panic);

        if f64::from(needed) / ready >= rules.panic_threshold {
            self.panic_since = Some(now);
        } else if let Some(since) = self.panic_since
            && since.saturating_add(rules.stable_window) < now
        {
            self.panic_since = None;
            self.max_panic = 0;
        }
        let mut desired = by_stable;
        if self.panic_since.is_some() {
            self.max_panic = self.max_panic.max(by_stable).max(by_panic);
            desired = self.max_panic;
        }
        self.delayed
            .record(now.as_secs() / DELAY_SLOT_SECONDS, desired)
    }

    /// Whether the number is kept from falling, because the ready instances were far too few.
    #[cfg(test)]
    pub(super) fn in_panic(&self) -> bool {
        self.panic_since.is_some()
    }

    /// The largest decision of the panic that goes on.
    #[cfg(test)]
    pub(super) fn max_panic(&self) -> u32 {
        self.max_panic
    }
}

fn delay_slots(rules: &Rules) -> u64 {
    let seconds = rules.scale_down_delay.min(LONGEST_DELAY).as_secs_f64();
    (seconds.ceil() as u64).div_ceil(DELAY_SLOT_SECONDS)
}

/// A whole number as such; the nearest when it is out of range, 0 for a NaN.
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests;
