//! Requests that wait for a revision to become known, while a cluster is listed for the first time.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::Notify;

use crate::throttle::QueuePermit;

/// The revisions that are waited for. As many as there are permits, at most.
#[derive(Default)]
pub(super) struct Awaited(Mutex<HashMap<RevisionKey, Arc<Notify>>>);

/// A request that waits for a revision to become known. It counts as queued, and leaves the queue when dropped.
pub(crate) struct Wait<'a> {
    awaited: &'a Awaited,
    key: RevisionKey,
    added: Arc<Notify>,
    _permit: QueuePermit,
}

impl Awaited {
    /// From now on no addition of `key` is missed; earlier ones are.
    pub(super) fn wait(&self, key: RevisionKey, permit: QueuePermit) -> Wait<'_> {
        let mut awaited = self.0.lock();
        Wait {
            awaited: self,
            added: Arc::clone(awaited.entry(key.clone()).or_default()),
            key,
            _permit: permit,
        }
    }

    /// The number of requests that wait.
    pub(super) fn len(&self) -> usize {
        let awaited = self.0.lock();
        // Each has one, and the map another.
        awaited.values().map(|it| Arc::strong_count(it) - 1).sum()
    }

    /// Wakes those who wait for one of these. They are in the table already.
    pub(super) fn on_added(&self, keys: &[RevisionKey]) {
        let awaited = self.0.lock();
        if awaited.is_empty() {
            return;
        }
        for added in keys.iter().filter_map(|key| awaited.get(key)) {
            added.notify_waiters();
        }
    }
}

impl Wait<'_> {
    /// Waits until the revision is added, unless `is_known` says that it is there already.
    ///
    /// Cancel-safe.
    pub(crate) async fn added(&self, is_known: impl FnOnce(&RevisionKey) -> bool) {
        let mut added = std::pin::pin!(self.added.notified());
        added.as_mut().enable();
        if !is_known(&self.key) {
            added.await;
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut awaited = self.awaited.0.lock();
        // This one's and the map's: nobody else can get one meanwhile.
        if Arc::strong_count(&self.added) == 2 {
            awaited.remove(&self.key);
        }
    }
}
