//! The revisions that are served, and how a request finds its own. Nothing here passes requests on.
//!
//! Nearly all revisions of a cluster sleep: they are known, and nothing else is there of them. The first request
//! wakes one, which is then probed at once, and it falls asleep again when it has had none for
//! [some minutes](usage).

use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use reporter_core::{Revision, RevisionKey, RevisionLister};

use crate::upstream::Recall;

mod backends;
mod listing;
pub(crate) mod name;
mod owner;
mod served;
mod shared;
mod sleep;
mod spec;
mod table;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod usage;

pub(crate) use listing::Listing;
pub use owner::Owner;
pub(crate) use served::ServedRevision;
pub(crate) use shared::{Shared, SharedSettings};
pub use spec::RevisionSpec;

use name::Name;
use table::{Put, Table};

/// The table of revisions. A reader finds the table of one moment, without a wait or an allocation; a change swaps
/// it for another one, at a cost that hardly depends on how many revisions there are.
///
/// Per revision the latest word counts, whoever said it and [may say it](Owner). Nothing is kept beyond the process:
/// a start knows the source alone.
pub struct Revisions {
    shared: Shared,
    table: ArcSwap<Table>,
    /// Held for a short time by whoever swaps the table: for a change, and to wake a revision or put it to sleep.
    swapping: Mutex<()>,
}

/// What is said of a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is like this.
    Put(Arc<RevisionSpec>),
    /// There is no such revision any more.
    Remove(RevisionKey),
}

/// What became of the revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Served from now on.
    pub added: usize,
    /// Served as before, but otherwise.
    pub changed: usize,
    /// Not served any more.
    pub removed: usize,
    /// Left as they are, since another source owns them.
    pub refused: Vec<(RevisionKey, Owner)>,
}

impl Revisions {
    /// An empty table.
    #[must_use]
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared,
            table: ArcSwap::default(),
            swapping: Mutex::default(),
        }
    }

    /// Makes these changes as one, each for the whole of a revision. Who wakes a revision meanwhile waits.
    pub fn change(&self, by: Owner, changes: impl IntoIterator<Item = Change>) -> Changes {
        let mut done = Changes::default();
        let mut removed = Vec::new();
        let swapping = self.swapping.lock();
        let mut table = Table::clone(&self.table.load());
        for change in changes {
            match change {
                Change::Put(spec) => match table.put(by, &spec) {
                    Ok(Put::Added) => done.added += 1,
                    Ok(Put::Changed(served)) => {
                        done.changed += 1;
                        if let Some(served) = served {
                            served.apply(&spec, &self.shared);
                        }
                    }
                    Ok(Put::Same) => {}
                    Err(owner) => done.refused.push((spec.key.clone(), owner)),
                },
                Change::Remove(key) => {
                    if let Some(served) = table.remove(by, &key) {
                        done.removed += 1;
                        removed.extend(served);
                    }
                }
            }
        }
        self.table.store(Arc::new(table));
        drop(swapping);
        // Only now: nobody may find a revision that is closed.
        for served in removed {
            served.close(&self.shared);
        }
        done
    }

    /// Serves the revision as `spec` says, by the word of the admin port; true when it was not served before.
    pub fn put(&self, spec: RevisionSpec) -> bool {
        let put = Change::Put(Arc::new(spec));
        self.change(Owner::ADMIN_PORT, [put]).added > 0
    }

    /// Serves the revision no longer, by the word of the admin port, and answers those who wait for it; false when
    /// it was not served.
    pub fn remove(&self, key: &RevisionKey) -> bool {
        let remove = Change::Remove(key.clone());
        self.change(Owner::ADMIN_PORT, [remove]).removed > 0
    }

    /// The revision as it is served.
    #[must_use]
    pub fn config(&self, key: &RevisionKey) -> Option<Arc<RevisionSpec>> {
        self.table.load().spec(key.as_str()).cloned()
    }

    /// All revisions as they are served at one moment, in the order of their keys.
    #[must_use]
    pub fn configs(&self) -> Vec<Arc<RevisionSpec>> {
        self.list().collect()
    }

    /// The same, one after the other. Takes as long as its reader likes, and nobody waits for it.
    pub(crate) fn list(&self) -> Listing {
        Listing::new(self.table.load_full())
    }

    /// What tells the workers that backends were taken out.
    pub(crate) fn recall(&self) -> &Recall {
        &self.shared.recall
    }

    /// All that are awake now, in no order.
    pub(crate) fn awake(&self) -> Vec<Arc<ServedRevision>> {
        self.table.load_full().all_awake().cloned().collect()
    }

    /// The revision that goes by `name`, for a request. One that sleeps is woken.
    pub(crate) fn find(&self, name: &Name<'_>) -> Option<Arc<ServedRevision>> {
        let mut room = [0; _];
        let key = name.key(&mut room)?;
        let table = self.table.load();
        if let Some(served) = table.awake(key) {
            served.usage.on_request();
            return Some(Arc::clone(served));
        }
        table.spec(key)?;
        drop(table);
        self.wake(key)
    }

    fn wake(&self, key: &str) -> Option<Arc<ServedRevision>> {
        let _swapping = self.swapping.lock();
        let table = self.table.load();
        // Another request may have been faster, and so may a removal.
        if let Some(served) = table.awake(key) {
            served.usage.on_request();
            return Some(Arc::clone(served));
        }
        let served = Arc::new(ServedRevision::new(table.spec(key)?, &self.shared));
        let mut table = Table::clone(&table);
        table.wake(Arc::clone(&served));
        self.table.store(Arc::new(table));
        Some(served)
    }
}

impl RevisionLister for Revisions {
    fn revision(&self, key: &RevisionKey) -> Option<Revision> {
        self.config(key).map(|config| config.revision.clone())
    }
}
