//! The limits on the number of instances, and how long the last one is kept.

use std::time::Duration;

use super::{ScaleSettings, derived};

/// From the number that the load asks for to the one that is wanted.
#[derive(Debug)]
pub(super) struct Bounds {
    min_scale: u32,
    max_scale: u32,
    initial_scale: u32,
    /// Whether as many as the initial scale have been ready once.
    initial_reached: bool,
    stable_window: Duration,
    retention_period: Duration,
    /// The last result.
    wanted: u32,
    /// Since when an instance has been ready.
    ready_since: Option<Duration>,
    /// Since when the last instance has been kept although none is asked for.
    kept_since: Option<Duration>,
}

impl Bounds {
    pub(super) fn new(settings: &ScaleSettings, ready: u32, now: Duration) -> Self {
        Self {
            min_scale: settings.min_scale,
            max_scale: settings.max_scale,
            initial_scale: settings.initial_scale,
            initial_reached: false,
            stable_window: derived::stable_window(settings),
            retention_period: settings.scale_to_zero_pod_retention_period,
            wanted: ready,
            ready_since: (ready > 0).then_some(now),
            kept_since: None,
        }
    }

    pub(super) fn set(&mut self, settings: &ScaleSettings) {
        self.min_scale = settings.min_scale;
        self.max_scale = settings.max_scale;
        self.initial_scale = settings.initial_scale;
        self.stable_window = derived::stable_window(settings);
        self.retention_period = settings.scale_to_zero_pod_retention_period;
    }

    pub(super) fn set_min_scale(&mut self, min_scale: u32) {
        self.min_scale = min_scale;
    }

    /// The number of instances that is wanted when the load asks for `desired`.
    pub(super) fn apply(&mut self, desired: u32, ready: u32, now: Duration) -> u32 {
        match ready {
            0 => self.ready_since = None,
            _ => self.ready_since = self.ready_since.or(Some(now)),
        }
        self.initial_reached |= ready >= self.initial_scale.min(self.max_scale);
        let mut fewest = self.min_scale;
        if desired > 0 && !self.initial_reached {
            fewest = fewest.max(self.initial_scale);
        }
        // The largest has the last word: what it protects is the machine.
        let desired = desired.max(fewest).min(self.max_scale);
        self.wanted = match desired {
            0 if self.keeps_last(now) => 1,
            _ => desired,
        };
        if desired > 0 || self.wanted == 0 {
            self.kept_since = None;
        }
        self.wanted
    }

    /// Whether the last instance is kept although none is asked for: one that has just become ready for a window, as
    /// the requests that it was started for may come again, and any for the retention period after that.
    fn keeps_last(&mut self, now: Duration) -> bool {
        let is_new = |since: Duration| now.saturating_sub(since) < self.stable_window;
        if self.ready_since.is_some_and(is_new) {
            return true;
        }
        if self.wanted == 0 {
            return false;
        }
        let since = *self.kept_since.get_or_insert(now);
        now.saturating_sub(since) < self.retention_period
    }
}

#[cfg(test)]
mod tests;
