//! The wait for capacity, and the refusal if none becomes available.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use reporter_metrics::{ErrorReason, QueueLimit, QueueMetrics};

use super::held::Accepted;
use super::refusal::Refusal;
use crate::access_log::Logged;
use crate::revision::ServedRevision;
use crate::throttle::{Complaint, QueueBound, Slot, ThrottleError};
use crate::traces::RequestTrace;
use crate::upstream::backend::Backend;

/// The capacity of one revision, as seen by its requests.
///
/// Requests wait here after they were counted, so that waiting counts as concurrency.
pub(super) struct Capacity<'a> {
    target: &'a ServedRevision,
    queue: &'a QueueMetrics,
    logged: Option<&'a Logged>,
    /// The status of a request that waits only while a backend is ready, and does not count as one that waits for one.
    asleep: Option<StatusCode>,
    trace: Option<&'a RequestTrace>,
}

impl<'a> Capacity<'a> {
    pub(super) fn new(
        target: &'a ServedRevision,
        queue: &'a QueueMetrics,
        asleep: Option<StatusCode>,
        accepted: &'a Accepted,
    ) -> Self {
        Self {
            target,
            queue,
            asleep,
            logged: accepted.logged(),
            trace: accepted.trace(),
        }
    }

    /// Waits for capacity for one more request.
    ///
    /// Dropping the future leaves the queue.
    pub(super) async fn wait(&self) -> Result<Slot, Refusal> {
        let throttle = &self.target.throttle;
        match (throttle.try_acquire(), self.asleep) {
            (Some(slot), _) => Ok(slot),
            (None, None) => Box::pin(self.timed(throttle.acquire())).await,
            (None, Some(_)) => Box::pin(self.timed(throttle.acquire_while_ready())).await,
        }
    }

    /// Waits for capacity on a backend other than that of `slot`, which is set aside.
    ///
    /// Dropping the future leaves the queue.
    pub(super) async fn wait_elsewhere(
        &self,
        slot: Slot,
        complaint: Complaint,
    ) -> Result<Slot, Refusal> {
        if self.asleep.is_some() {
            slot.set_aside(complaint);
            drop(slot);
            return self.wait().await;
        }
        Box::pin(self.timed(slot.retry_elsewhere(complaint))).await
    }

    /// The backend of the next attempt.
    pub(super) fn backend(&self, slot: &Slot) -> Arc<Backend> {
        let backend = self.target.backends.at(slot.backend());
        if let Some(logged) = self.logged {
            logged.send_to(&backend.endpoint.place);
        }
        backend
    }

    async fn timed(
        &self,
        wait: impl Future<Output = Result<Slot, ThrottleError>>,
    ) -> Result<Slot, Refusal> {
        let begin = Instant::now();
        if let Some(logged) = self.logged {
            logged.queue();
        }
        if let Some(trace) = self.trace {
            trace.on_queued();
        }
        let slot = wait.await.map_err(|error| self.refusal(error));
        if let Some(trace) = self.trace {
            trace.on_end_of_part(slot.as_ref().err().and_then(Refusal::reason));
        }
        let slot = slot?;
        self.queue.waited(begin.elapsed());
        Ok(slot)
    }

    fn refusal(&self, error: ThrottleError) -> Refusal {
        match error {
            ThrottleError::QueueFull(bound) => {
                self.queue.rejected(match bound {
                    QueueBound::QueueDepth => QueueLimit::Revision,
                    QueueBound::MaxQueuedRequests => QueueLimit::Total,
                });
                Refusal::new(ErrorReason::QueueFull, error)
            }
            ThrottleError::RevisionGone => {
                let why = format_args!("revision {} was removed", self.target.key);
                Refusal::new(ErrorReason::RevisionUnknown, why)
            }
            ThrottleError::NotReady => {
                let status = self.asleep.unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
                Refusal::asleep(&self.target.key, status)
            }
            ThrottleError::StartFailed(failure) => {
                Refusal::failed_to_start(&self.target.key, &failure)
            }
        }
    }
}
