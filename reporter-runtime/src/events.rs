//! A channel of events, for hosts that have a stream of them in place of guards.

use reporter_core::ReqEvent;
use tokio::sync::mpsc;

/// Sends events to the reporter's task, which applies them in order.
///
/// An event's time is that at which the task applies it. Where the caller's own thread can count,
/// [`track`](crate::ConcurrencyReporter::track) is cheaper and cannot forget an end.
///
/// ```
/// use reporter_core::{Accounting, ReqEvent, RevisionKey};
/// use reporter_runtime::{ConcurrencyReporter, ReporterStopped};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (reporter, task) = ConcurrencyReporter::builder(Accounting::Average).spawn();
/// let events = reporter.events();
///
/// let hello: RevisionKey = "default/hello".parse()?;
/// events.send(ReqEvent::req_in(hello.clone())).await?;
/// events.send(ReqEvent::req_out(hello.clone())).await?;
///
/// // What was sent before the stop is in the last report.
/// task.stop().await;
/// assert_eq!(reporter.in_flight(&hello), Some(0));
/// assert_eq!(events.send(ReqEvent::req_in(hello)).await, Err(ReporterStopped));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EventSender {
    sender: mpsc::Sender<ReqEvent>,
}

/// The reporter has stopped; the event was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the reporter has stopped")]
pub struct ReporterStopped;

impl EventSender {
    pub(crate) fn new(sender: mpsc::Sender<ReqEvent>) -> Self {
        Self { sender }
    }

    /// Sends one event, waiting for room in the channel.
    ///
    /// A `ReqOut` with nothing in flight is counted in
    /// [`unmatched_outs`](crate::ConcurrencyReporter::unmatched_outs).
    ///
    /// Cancel-safe: an event whose send was cancelled has not been counted.
    ///
    /// # Errors
    /// The reporter has stopped.
    pub async fn send(&self, event: ReqEvent) -> Result<(), ReporterStopped> {
        self.sender.send(event).await.map_err(|_| ReporterStopped)
    }
}
