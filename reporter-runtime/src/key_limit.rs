//! The limit of tracked keys over all shards. A shard takes room per key and returns it at a tick.

use reporter_core::RevisionKey;

use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// The room for keys that no shard has taken yet, and the requests that found none.
pub(crate) struct KeyLimit {
    limit: usize,
    free: AtomicUsize,
    untracked_requests: AtomicU64,
    /// What `untracked_requests` was at the last tick.
    untracked_before: AtomicU64,
    /// From the first request without room until a whole period has passed without one.
    logged: AtomicBool,
}

impl KeyLimit {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            free: AtomicUsize::new(limit),
            untracked_requests: AtomicU64::new(0),
            untracked_before: AtomicU64::new(0),
            logged: AtomicBool::new(false),
        }
    }

    /// Takes the room of one key, if there is any.
    pub(crate) fn take(&self) -> bool {
        let one_less = |free: usize| free.checked_sub(1);
        self.free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
            .is_ok()
    }

    /// Returns the room of that many keys.
    pub(crate) fn give_back(&self, keys: usize) {
        if keys > 0 {
            self.free.fetch_add(keys, Ordering::Relaxed);
        }
    }

    /// The keys that room is taken for.
    pub(crate) fn taken(&self) -> usize {
        self.limit - self.free.load(Ordering::Relaxed)
    }

    /// Counts a request that found no room; the first in a row is logged.
    pub(crate) fn on_refused(&self, key: &RevisionKey) {
        self.untracked_requests.fetch_add(1, Ordering::Relaxed);
        if !self.logged.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                %key,
                limit = self.limit,
                "max_tracked_keys reached: requests to other revisions are served but not counted"
            );
        }
    }

    /// Ends the period.
    pub(crate) fn on_tick(&self) {
        let untracked = self.untracked_requests();
        let before = self.untracked_before.swap(untracked, Ordering::Relaxed);
        if untracked == before && self.logged.swap(false, Ordering::Relaxed) {
            tracing::info!(
                untracked,
                "below max_tracked_keys again: every request is counted"
            );
        }
    }

    /// The requests that found no room.
    pub(crate) fn untracked_requests(&self) -> u64 {
        self.untracked_requests.load(Ordering::Relaxed)
    }
}
