//! What the reporter says of itself: totals that it keeps and that are copied here before a scrape.

use metrics::{Counter, Gauge};

use crate::names;
use crate::registry::Registry;

/// The reporter's own figures. A clone records into the same series.
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

    /// So many keys are tracked now.
    pub fn tracked_keys(&self, keys: usize) {
        self.tracked_keys.set(keys as f64);
    }

    /// So many ends of requests found nothing in flight, in all. A smaller number than before changes nothing.
    pub fn unmatched_outs(&self, total: u64) {
        self.unmatched_outs.absolute(total);
    }

    /// So many requests were not counted, in all. A smaller number than before changes nothing.
    pub fn untracked_requests(&self, total: u64) {
        self.untracked_requests.absolute(total);
    }
}
