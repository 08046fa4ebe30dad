//! Why a request gets no slot.

use std::sync::Arc;

use tokio::time::Instant;

/// Why a request gets no slot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThrottleError {
    /// It would have to wait, and the queue is full.
    #[error("pending request queue full")]
    QueueFull(QueueBound),
    /// The revision was removed.
    #[error("the revision was removed")]
    RevisionGone,
    /// No backend is ready, since the revision's instances failed to start.
    #[error("the revision failed to start: {}", .0.why)]
    StartFailed(Arc<Failure>),
}

/// Which limit on waiting requests is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueBound {
    /// The revision's `queue_depth`.
    QueueDepth,
    /// `max_queued_requests`, over all revisions.
    MaxQueuedRequests,
}

/// Requests do not wait for a backend, since none is expected to become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Until when. Later ones wait again.
    pub until: Instant,
    /// Why, for clients.
    pub why: String,
}
