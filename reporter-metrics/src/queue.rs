//! The queues of requests that wait for capacity: waits, and requests refused.

use std::time::Duration;

use metrics::{Counter, Histogram};

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// The limit that was reached, named as in the configuration.
    pub enum QueueLimit {
        /// The limit of the revision's queue.
        Revision = "queue_depth",
        /// The limit of all queues together.
        Total = "max_queued_requests",
    }
}

/// The queues of requests. Clones share the same series.
#[derive(Clone)]
pub struct QueueMetrics {
    rejections: [Counter; QueueLimit::ALL.len()],
    wait: Histogram,
}

impl QueueMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            rejections: QueueLimit::ALL
                .map(|limit| registry.counter(&names::QUEUE_REJECTIONS, &[limit.as_str()])),
            wait: registry.histogram(&names::QUEUE_WAIT, &[]),
        }
    }

    /// A request was refused.
    pub fn rejected(&self, limit: QueueLimit) {
        self.rejections[limit as usize].increment(1);
    }

    /// A request got capacity after this wait.
    pub fn waited(&self, wait: Duration) {
        self.wait.record(wait);
    }
}
