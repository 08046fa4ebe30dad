//! The queues of requests that wait for capacity: for how long, and who is turned away.

use std::time::Duration;

use metrics::{Counter, Histogram};

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// The limit that turned a request away, named as in the configuration.
    pub enum QueueLimit {
        /// That of its revision's queue.
        Revision = "queue_depth",
        /// That of all queues together.
        Total = "max_queued_requests",
    }
}

/// What happens in the queues. A clone records into the same series.
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

    /// A request was turned away.
    pub fn rejected(&self, limit: QueueLimit) {
        self.rejections[limit as usize].increment(1);
    }

    /// A request got capacity, so long after it had come.
    pub fn waited(&self, wait: Duration) {
        self.wait.record(wait);
    }
}
