//! A batch on its way to the sinks.

use std::time::SystemTime;

use reporter_core::{Batch, Timestamp};

/// A batch with its times.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// When the first request came or the report was made, on the reporter's [`Clock`](crate::Clock).
    pub at: Timestamp,
    /// The time of day when the batch was made.
    pub time: SystemTime,
    /// The batch. Without `messages` it only names forgotten keys.
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
