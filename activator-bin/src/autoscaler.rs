//! Knative's autoscaler for one revision, as numbers: what was in flight goes in, how many instances are wanted comes
//! out.
//!
//! Pure: the time is an argument. What must not live here: starting and stopping instances (see the launcher), where
//! the stats come from.
//!
//! Of Knative's there is what matters on one machine: the average concurrency over a stable and a panic window, the
//! limits on the rate of change, the panic, the scale-down delay, the bounds and the retention period. All requests
//! pass through this process, so what Knative does to put its activator in the path and out of it is not there, nor
//! the grace period that waits for it.

use std::time::Duration;

mod bounds;
#[cfg(test)]
mod cases;
mod decision;
mod derived;
mod maximum;
mod settings;
mod window;

use bounds::Bounds;
use decision::{Decisions, MAX_SCALE_DOWN_RATE, MAX_SCALE_UP_RATE, Rules};
use window::Window;

pub use settings::ScaleSettings;

/// The largest concurrency that is believed.
const LARGEST_CONCURRENCY: f64 = u32::MAX as f64;

/// How many instances one revision needs.
///
/// The time is since an origin that the caller picks. Going backwards counts as no time.
#[derive(Debug)]
pub struct Autoscaler {
    stable: Window,
    panic: Window,
    decisions: Decisions,
    bounds: Bounds,
    /// The latest time that was heard of.
    latest: Duration,
}

impl Autoscaler {
    /// That of a revision with so many instances ready. What they have to do is not known yet, so for a stable window
    /// they are kept.
    #[must_use]
    pub fn new(
        settings: &ScaleSettings,
        container_concurrency: u32,
        ready: u32,
        now: Duration,
    ) -> Self {
        Self {
            stable: Window::new(derived::stable_seconds(settings)),
            panic: Window::new(derived::panic_seconds(settings)),
            decisions: Decisions::new(rules(settings, container_concurrency), ready, now),
            bounds: Bounds::new(settings, ready, now),
            latest: now,
        }
    }

    /// Records how many requests were in flight.
    ///
    /// To be called each second while there are instances, with 0 when there is nothing to say: seconds without a value
    /// are not counted. Values of the same second, as it is since the origin, add up. So a source that reports each
    /// second should do so in the middle of seconds: otherwise two of its reports may be in the same one.
    pub fn record(&mut self, concurrency: f64, now: Duration) {
        let second = self.advance(now).as_secs();
        let concurrency = match concurrency > 0.0 {
            true => concurrency.min(LARGEST_CONCURRENCY),
            false => 0.0, // A NaN too.
        };
        self.stable.record(second, concurrency);
        self.panic.record(second, concurrency);
    }

    /// Decides how many instances are wanted, when so many are ready.
    ///
    /// To be called every two seconds, and after the record of a first request. Without load none are wanted after the
    /// stable window, even if one is still starting.
    pub fn tick(&mut self, ready: u32, now: Duration) -> u32 {
        let now = self.advance(now);
        let stable = self.stable.average(now.as_secs());
        let panic = self.panic.average(now.as_secs());
        let desired = self.decisions.decide(stable, panic, ready, now);
        self.bounds.apply(desired, ready, now)
    }

    /// Sets the fewest instances, until the settings change.
    pub fn set_min_scale(&mut self, min_scale: u32) {
        self.bounds.set_min_scale(min_scale);
    }

    /// Changes the settings. What was recorded stays, as far as the new windows reach.
    pub fn set_settings(
        &mut self,
        settings: &ScaleSettings,
        container_concurrency: u32,
        now: Duration,
    ) {
        let second = self.advance(now).as_secs();
        self.stable
            .resize(derived::stable_seconds(settings), second);
        self.panic.resize(derived::panic_seconds(settings), second);
        self.decisions
            .set_rules(rules(settings, container_concurrency));
        self.bounds.set(settings);
    }

    fn advance(&mut self, now: Duration) -> Duration {
        self.latest = self.latest.max(now);
        self.latest
    }
}

fn rules(settings: &ScaleSettings, container_concurrency: u32) -> Rules {
    Rules {
        target: derived::target(settings, container_concurrency),
        panic_threshold: derived::panic_threshold(settings),
        stable_window: derived::stable_window(settings),
        activation_scale: settings.activation_scale,
        scale_down_delay: settings.scale_down_delay,
        max_scale_up_rate: MAX_SCALE_UP_RATE,
        max_scale_down_rate: MAX_SCALE_DOWN_RATE,
    }
}

#[cfg(test)]
mod tests;
