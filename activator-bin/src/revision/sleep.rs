//! When a revision falls asleep: what it holds beyond its specification is given back when nobody has wanted it for a while.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::Revisions;
use super::served::ServedRevision;
use super::table::Table;

/// How often it is looked who has had no request.
const LOOK: Duration = Duration::from_secs(60);

impl Revisions {
    /// Puts quiet revisions to sleep for as long as it is polled.
    pub(crate) async fn keep_asleep(&self) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    /// One look. Revisions with a request that waits or is in flight are in use.
    pub(crate) fn look(&self) {
        let is_over = |it: &&Arc<ServedRevision>| it.usage.is_over(it.is_busy());
        let quiet: Vec<RevisionKey> = {
            let table = self.table.load_full();
            let quiet = table.all_awake().filter(is_over);
            quiet.map(|it| it.key.clone()).collect()
        };
        let mut has_backends = false;
        for key in quiet {
            // One at a time: whoever wakes another one waits for no more than that.
            if let Some(served) = self.fall_asleep(&key) {
                has_backends |= served.backends.set(&[], None, 0);
            }
        }
        if has_backends {
            self.shared.recall.on_unkept();
        }
    }

    /// Takes the revision out of those that are awake, unless somebody holds it.
    pub(super) fn fall_asleep(&self, key: &RevisionKey) -> Option<ServedRevision> {
        let _swapping = self.swapping.lock();
        let mut table = Table::clone(&self.table.load());
        let served = table.fall_asleep(key)?;
        // No guard is in the way: a swap makes each a holder of the table that it has found, and that table, of the
        // revision. So whoever finds himself its only holder behind the swap is, and stays so.
        drop(self.table.swap(Arc::new(table)));
        let served = match Arc::try_unwrap(served) {
            Ok(served) if !served.is_busy() => return Some(served),
            Ok(served) => Arc::new(served),
            Err(served) => served,
        };
        // Whoever misses it meanwhile comes to wake it, and waits for this.
        let mut table = Table::clone(&self.table.load());
        table.wake(served);
        self.table.store(Arc::new(table));
        None
    }
}

impl ServedRevision {
    /// Whether a request waits or is in flight.
    fn is_busy(&self) -> bool {
        self.throttle.queued() + self.throttle.active() > 0
    }
}
