//! The wait for capacity, and the refusal if none becomes available.

use std::time::Instant;

use reporter_metrics::{ErrorReason, QueueLimit, QueueMetrics};

use super::refusal::Refusal;
use crate::revision::ServedRevision;
use crate::throttle::{Complaint, QueueBound, Slot, ThrottleError};

/// The capacity of one revision, as seen by its requests.
///
/// Requests wait here after they were counted, so that waiting counts as concurrency.
pub(super) struct Capacity<'a> {
    target: &'a ServedRevision,
    queue: &'a QueueMetrics,
}

impl<'a> Capacity<'a> {
    pub(super) fn new(target: &'a ServedRevision, queue: &'a QueueMetrics) -> Self {
        Self { target, queue }
    }

    /// Waits for capacity for one more request.
    ///
    /// Dropping the future leaves the queue.
    pub(super) async fn wait(&self) -> Result<Slot, Refusal> {
        match self.target.throttle.try_acquire() {
            Some(slot) => Ok(slot),
            None => Box::pin(self.timed(self.target.throttle.acquire())).await,
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
        Box::pin(self.timed(slot.retry_elsewhere(complaint))).await
    }

    async fn timed(
        &self,
        wait: impl Future<Output = Result<Slot, ThrottleError>>,
    ) -> Result<Slot, Refusal> {
        let begin = Instant::now();
        let slot = wait.await.map_err(|error| self.refusal(error))?;
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
            ThrottleError::StartFailed(failure) => {
                let why = format_args!(
                    "revision {} failed to start: {}",
                    self.target.key, failure.why
                );
                Refusal::new(ErrorReason::QueueFull, why)
            }
        }
    }
}
