//! Receivers of batches: the trait, and its implementations.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::Dispatch;

pub mod autoscaler;
pub mod json_lines;

/// A receiver of batches. Runs in its own task, so that it delays neither the counting nor another sink.
///
/// ```
/// use std::sync::Arc;
///
/// use async_trait::async_trait;
/// use reporter_core::Accounting;
/// use reporter_runtime::{ConcurrencyReporter, Dispatch, StatSink, Undelivered};
/// use tokio::sync::mpsc::Receiver;
///
/// struct Print;
///
/// #[async_trait]
/// impl StatSink for Print {
///     fn name(&self) -> String {
///         "print".to_owned()
///     }
///
///     async fn run(self: Box<Self>, mut mailbox: Receiver<Arc<Dispatch>>) -> Result<(), Undelivered> {
///         while let Some(dispatch) = mailbox.recv().await {
///             for message in &dispatch.batch.messages {
///                 println!("{}: {:?}", message.key, message.stat);
///             }
///         }
///         Ok(())
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = ConcurrencyReporter::builder(Accounting::Average).sink(Box::new(Print));
/// let (reporter, task) = builder.spawn();
/// drop(reporter.track(&"default/hello".parse()?));
///
/// let stopped = task.stop().await;
/// assert_eq!(stopped.sinks, [("print".to_owned(), Ok(()))]);
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait StatSink: Send + 'static {
    /// Its name in logs.
    fn name(&self) -> String;

    /// Delivers the dispatches of `mailbox` until it ends, then flushes.
    ///
    /// A sink that falls behind gets what waited merged per key ([`Outbox`](reporter_core::Outbox)): no count is lost, and
    /// the mailbox stays bounded. The sink itself retries, counts and logs failures of the outside
    /// (a full disk, an unreachable peer).
    ///
    /// If it still runs at the end of the reporter's flush timeout, it is dropped at an await, and
    /// what it had not finished when the reporter stopped counts as not delivered; a sink that buffers
    /// dispatches should return before that. If it returns early or panics, the reporter goes on
    /// without it, and what it misses counts as not delivered.
    ///
    /// # Errors
    /// What it could not deliver, which it has logged with the reason.
    async fn run(
        self: Box<Self>,
        mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered>;
}

/// What a sink did not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("reports of {requests} requests were not delivered")]
pub struct Undelivered {
    /// Requests whose counts were not delivered. May be 0: a report of a period without requests.
    pub requests: u64,
}
