//! Where batches go: the trait that every receiver implements, and the receivers that come with it.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::Dispatch;

pub mod autoscaler;
pub mod json_lines;

/// A receiver of batches. It runs in a task of its own, so that it delays neither the counting nor another sink.
#[async_trait]
pub trait StatSink: Send + 'static {
    /// What it is called in logs.
    fn name(&self) -> String;

    /// Delivers what comes out of `mailbox` until that ends, then flushes.
    ///
    /// A sink that falls behind finds what waited merged per key ([`Outbox`](reporter_core::Outbox)): no count is lost, and
    /// the mailbox stays bounded. The world outside (a full disk, an absent peer) is the sink's own
    /// to retry, count and log.
    ///
    /// It may be dropped at any await: when it is still running at the end of the reporter's flush
    /// time-out. Then what it had not finished when the reporter stopped counts as not delivered; a
    /// sink that takes dispatches in before it delivers them had better end by itself before that.
    /// When it returns early or panics, the reporter goes on without it, and what it misses counts too.
    ///
    /// # Errors
    /// Says what it could not deliver in the end, which it has logged with the reason.
    async fn run(
        self: Box<Self>,
        mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered>;
}

/// What a sink did not get rid of before it had to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reports of {requests} requests were not delivered")]
pub struct Undelivered {
    /// The requests whose counts were not delivered. 0 is possible: a report of a period without any.
    pub requests: u64,
}
