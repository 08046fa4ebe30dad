//! Which revisions whose instances are started here have changed, for whoever starts them.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::Notify;

/// The keys of those that were added, changed or removed since they were last taken. For a single reader.
#[derive(Default)]
pub(super) struct LaunchChanges {
    keys: Mutex<BTreeSet<RevisionKey>>,
    noted: Notify,
}

impl LaunchChanges {
    /// The table says already what they are now.
    pub(super) fn note(&self, keys: Vec<RevisionKey>) {
        if !keys.is_empty() {
            self.keys.lock().extend(keys);
            self.noted.notify_one();
        }
    }

    /// Waits until there are any, and takes them.
    ///
    /// Cancel-safe.
    pub(super) async fn next(&self) -> BTreeSet<RevisionKey> {
        loop {
            let keys = std::mem::take(&mut *self.keys.lock());
            if !keys.is_empty() {
                return keys;
            }
            self.noted.notified().await;
        }
    }
}
