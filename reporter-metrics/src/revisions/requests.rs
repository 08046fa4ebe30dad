//! Queued and active requests of a revision, counted by guards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Requests of one revision by what they do now.
#[derive(Default)]
pub(super) struct Counts {
    queued: AtomicU64,
    active: AtomicU64,
}

impl Counts {
    pub(super) fn queued(&self) -> u64 {
        self.queued.load(Ordering::Relaxed)
    }

    pub(super) fn active(&self) -> u64 {
        self.active.load(Ordering::Relaxed)
    }
}

/// Counts the requests of one revision in `kn_revision_request_queued` and `kn_revision_request_active`.
///
/// Counting is an atomic addition or two, from any thread. A clone counts for the same revision.
#[derive(Clone)]
pub struct RevisionRequests(Arc<Counts>);

impl RevisionRequests {
    pub(super) fn new(counts: Arc<Counts>) -> Self {
        Self(counts)
    }

    /// A request starts to wait for capacity.
    #[must_use = "the request is queued for as long as the guard lives"]
    pub fn queue(&self) -> Queued {
        self.0.queued.fetch_add(1, Ordering::Relaxed);
        Queued(Arc::clone(&self.0))
    }

    /// A request has capacity without having waited.
    #[must_use = "the request is active for as long as the guard lives"]
    pub fn activate(&self) -> Active {
        self.0.active.fetch_add(1, Ordering::Relaxed);
        Active(Arc::clone(&self.0))
    }
}

/// A request that waits for capacity. Dropped, it has given up.
pub struct Queued(Arc<Counts>);

impl Queued {
    /// The request has got capacity.
    #[must_use = "the request is active for as long as the guard lives"]
    pub fn activate(self) -> Active {
        RevisionRequests(Arc::clone(&self.0)).activate()
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.0.queued.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A request that is being proxied. Dropped, it is over.
pub struct Active(Arc<Counts>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.fetch_sub(1, Ordering::Relaxed);
    }
}
