//! The reporter's own figures: kept by the reporter and copied here before a scrape.

use metrics::{Counter, Gauge};

use crate::names;
use crate::registry::Registry;

/// The reporter's own figures. Clones share the same series.
#[derive(Clone)]
pub struct ReporterMetrics {
    tracked_keys: Gauge,
    unmatched_outs: Counter,
    untracked_requests: Counter,
}

impl ReporterMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            tracked_keys: registry.gauge(&names::TRACKED_KEYS, &[]),
            unmatched_outs: registry.counter(&names::UNMATCHED_OUTS, &[]),
            untracked_requests: registry.counter(&names::UNTRACKED_REQUESTS, &[]),
        }
    }

    /// Sets the number of tracked keys.
    pub fn tracked_keys(&self, keys: usize) {
        self.tracked_keys.set(keys as f64);
    }

    /// Sets the total of unmatched request ends. A smaller number than before changes nothing.
    pub fn unmatched_outs(&self, total: u64) {
        self.unmatched_outs.absolute(total);
    }

    /// Sets the total of requests that were not counted. A smaller number than before changes nothing.
    pub fn untracked_requests(&self, total: u64) {
        self.untracked_requests.absolute(total);
    }
}
