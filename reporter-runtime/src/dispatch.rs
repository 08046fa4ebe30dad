//! A batch on its way to the sinks.

use std::time::SystemTime;

use reporter_core::{Batch, Timestamp};

/// What the reporter said, and when.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// When the first request came or the tick was due, on the reporter's [`Clock`](crate::Clock).
    pub at: Timestamp,
    /// The time of day when the batch was cut.
    pub time: SystemTime,
    /// The batch. Its `messages` may be empty: then it only tells which keys are forgotten.
    pub batch: Batch,
}
