//! Why a request gets no slot.

use std::sync::Arc;
use std::time::{Duration, Instant};

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
    /// No backend is ready, and it was to wait only while one is.
    #[error("no backend is ready")]
    NotReady,
}

/// Which limit on waiting requests is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueBound {
    /// The revision's `queue_depth`.
    QueueDepth,
    /// `max_queued_requests`, over all revisions.
    MaxQueuedRequests,
}

/// What a request for a ready backend meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// One is ready.
    Ready,
    /// None is ready. It waits.
    NotReady,
    /// None is ready, and it does not wait.
    Failed(Arc<Failure>),
}

/// Requests do not wait for a backend, since none is expected to become ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Until when. Later ones wait again.
    pub until: Instant,
    /// Why, for clients.
    pub why: String,
}

impl Failure {
    /// How long it lasts still, in whole seconds and at least 1.
    #[must_use]
    pub fn seconds_left(&self, now: Instant) -> u64 {
        let left = self.until.saturating_duration_since(now);
        let up = u64::from(left > Duration::from_secs(left.as_secs()));
        (left.as_secs() + up).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seconds_that_a_failure_lasts_are_rounded_up() {
        let now = Instant::now();
        for (left, expected) in [
            (0, 1),
            (1, 1),
            (999, 1),
            (1_000, 1),
            (1_001, 2),
            (12_000, 12),
        ] {
            let failure = Failure {
                until: now + Duration::from_millis(left),
                why: String::new(),
            };
            assert_eq!(failure.seconds_left(now), expected, "{left} ms");
            let later = now + Duration::from_secs(100);
            assert_eq!(failure.seconds_left(later), 1);
        }
    }
}
