//! Why a request gets no slot.

/// Why a request gets no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ThrottleError {
    /// It would have to wait, and the queue is full.
    #[error("pending request queue full")]
    QueueFull(QueueBound),
    /// The revision was removed.
    #[error("the revision was removed")]
    RevisionGone,
}

/// Which limit on waiting requests is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueBound {
    /// The revision's `queue_depth`.
    QueueDepth,
    /// `max_queued_requests`, over all revisions.
    MaxQueuedRequests,
}
