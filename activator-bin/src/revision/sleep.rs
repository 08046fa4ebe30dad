//! Puts revisions to sleep that have had no request for a while: only their specification is kept.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::Revisions;
use super::served::ServedRevision;
use super::table::Table;
use crate::throttle::Standing;

/// The interval between two looks at all that are awake.
const LOOK: Duration = Duration::from_secs(60);

impl Revisions {
    /// Puts unused revisions to sleep, for as long as it is polled.
    pub(crate) async fn keep_asleep(&self) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    /// One look. A revision with a request in its queue or in flight is in use.
    pub(crate) fn look(&self) {
        let is_over = |it: &&Arc<ServedRevision>| it.usage.is_over(it.is_busy());
        let quiet: Vec<RevisionKey> = {
            let table = self.table.load_full();
            let quiet = table.all_awake().filter(is_over);
            quiet.map(|it| it.key.clone()).collect()
        };
        let mut has_backends = false;
        for key in quiet {
            // One at a time, so that a request that wakes another revision waits for one at most.
            if let Some(served) = self.fall_asleep(&key) {
                has_backends |= served.backends.clear();
            }
        }
        if has_backends {
            self.shared.recall.on_unkept();
        }
    }

    /// Removes the revision from those that are awake, unless it is in use.
    pub(super) fn fall_asleep(&self, key: &RevisionKey) -> Option<ServedRevision> {
        let _swapping = self.swapping.lock();
        let mut table = Table::clone(&self.table.load());
        let served = table.fall_asleep(key)?;
        // Readers of the old table hold a reference to it after the swap, and with it to the revision. So if this is
        // the only reference after the swap, it stays the only one.
        drop(self.table.swap(Arc::new(table)));
        let served = match Arc::try_unwrap(served) {
            Ok(served) if !served.is_busy() => return Some(served),
            Ok(served) => Arc::new(served),
            Err(served) => served,
        };
        // Requests that do not find it meanwhile try to wake it, and wait for the lock.
        let mut table = Table::clone(&self.table.load());
        table.wake(served);
        self.table.store(Arc::new(table));
        None
    }
}

impl ServedRevision {
    /// Whether a request is in its queue or in flight, or it is known why none is to wait.
    fn is_busy(&self) -> bool {
        let has_requests = self.throttle.queued() + self.throttle.active() > 0;
        has_requests || matches!(self.throttle.standing(), Standing::Failed(_))
    }
}
