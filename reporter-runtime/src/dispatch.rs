//! A batch on its way to the sinks.

use std::time::SystemTime;

use reporter_core::{Batch, Timestamp};

/// What the reporter said, and when.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// When the first request came or the report was cut, on the reporter's [`Clock`](crate::Clock).
    pub at: Timestamp,
    /// The time of day when the batch was cut.
    pub time: SystemTime,
    /// The batch. Its `messages` may be empty: then it only tells which keys are forgotten.
    pub batch: Batch,
}

impl Dispatch {
    /// The sum of the request counts in its messages.
    #[must_use]
    pub fn requests(&self) -> u64 {
        let messages = self.batch.messages.iter();
        messages.map(|message| message.stat.request_count).sum()
    }
}
