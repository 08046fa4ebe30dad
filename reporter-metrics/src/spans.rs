//! Spans of requests, as they are sent to a collector.

use metrics::Counter;

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// Why spans were dropped.
    pub enum SpanDrop {
        /// The collector does not keep up, or is away.
        QueueFull = "queue_full",
        /// The collector has not taken them for a minute.
        GivenUp = "given_up",
        /// The collector has refused them.
        Rejected = "rejected",
        /// The export ended before they were sent.
        Stopped = "stopped",
    }
}

/// Counts spans. Clones share the same series.
#[derive(Clone)]
pub struct SpanMetrics {
    exported: Counter,
    dropped: [Counter; SpanDrop::ALL.len()],
}

impl SpanMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            exported: registry.counter(&names::SPANS_EXPORTED, &[]),
            dropped: SpanDrop::ALL
                .map(|reason| registry.counter(&names::SPANS_DROPPED, &[reason.as_str()])),
        }
    }

    /// The collector has accepted so many.
    pub fn exported(&self, spans: usize) {
        self.exported.increment(spans as u64);
    }

    /// So many were dropped for this reason.
    pub fn dropped(&self, reason: SpanDrop, spans: usize) {
        self.dropped[reason as usize].increment(spans as u64);
    }
}
