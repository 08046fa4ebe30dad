//! The revisions that are served, and how a request finds its own.
//!
//! Nearly all revisions of a cluster sleep: only their specification is in memory. The first request wakes a revision,
//! which is then probed at once; it falls asleep again after [some minutes](usage) without a request.
//!
//! What must not live here: forwarding requests.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use reporter_core::{Revision, RevisionKey, RevisionLister};
use reporter_metrics::BackendState;

use crate::host::HostPattern;
use crate::probe::{BackendCounts, Mesh, PrivateServices};
use crate::upstream::Recall;
use crate::upstream::place::Place;

mod awaited;
mod backends;
mod hosts;
pub mod launch;
mod launch_changes;
mod listing;
#[cfg(test)]
mod memory;
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

pub use crate::throttle::Failure;
pub(crate) use awaited::Wait;
pub(crate) use launch::LaunchSpec;
pub(crate) use listing::Listing;
pub use owner::{Owner, Refused};
pub use served::ServedRevision;
pub(crate) use shared::{Shared, SharedSettings};
pub use spec::RevisionSpec;

use awaited::Awaited;
use launch_changes::LaunchChanges;
use name::Naming;
use table::{Put, Table};

/// The table of revisions. A reader sees a consistent table without waiting or allocating; a change replaces the table,
/// at a cost that hardly depends on the number of revisions.
///
/// The last change to a revision wins, by whichever [owner](Owner) may make it. Nothing is persisted: after a restart
/// only the source counts.
pub struct Revisions {
    shared: Shared,
    table: ArcSwap<Table>,
    /// Held briefly while the table is replaced: for a change, and to wake a revision or put it to sleep.
    swapping: Mutex<()>,
    awaited: Awaited,
    launch_changes: LaunchChanges,
}

/// A change of one revision.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Adds the revision, or changes it.
    Put(Arc<RevisionSpec>),
    /// Removes the revision.
    Remove(RevisionKey),
}

/// What changes have done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Newly served.
    pub added: usize,
    /// Changed.
    pub changed: usize,
    /// No longer served.
    pub removed: usize,
    /// Left unchanged, and why.
    pub refused: Vec<(RevisionKey, Refused)>,
}

impl Revisions {
    /// An empty table.
    #[must_use]
    pub(crate) fn new(shared: Shared) -> Self {
        Self {
            shared,
            table: ArcSwap::default(),
            swapping: Mutex::default(),
            awaited: Awaited::default(),
            launch_changes: LaunchChanges::default(),
        }
    }

    /// Makes these changes in one step. Waking a sleeping revision waits for it.
    pub fn change(&self, by: Owner, changes: impl IntoIterator<Item = Change>) -> Changes {
        let mut done = Changes::default();
        let (mut added, mut removed, mut launched) = (Vec::new(), Vec::new(), Vec::new());
        let swapping = self.swapping.lock();
        let mut table = Table::clone(&self.table.load());
        for change in changes {
            match change {
                Change::Put(spec) => match table.put(by, &spec) {
                    Ok(Put::Added) => {
                        launched.extend(spec.launch.is_some().then(|| spec.key.clone()));
                        added.push(spec.key.clone());
                    }
                    Ok(Put::Changed {
                        served,
                        was_launched,
                    }) => {
                        done.changed += 1;
                        let is_launched = spec.launch.is_some() || was_launched;
                        launched.extend(is_launched.then(|| spec.key.clone()));
                        if let Some(served) = served {
                            served.apply(&spec, &self.shared);
                        }
                    }
                    Ok(Put::Same) => {}
                    Err(why) => done.refused.push((spec.key.clone(), why)),
                },
                Change::Remove(key) => {
                    if let Some(gone) = table.remove(by, &key) {
                        done.removed += 1;
                        removed.extend(gone.served);
                        launched.extend(gone.was_launched.then_some(key));
                    }
                }
            }
        }
        self.table.store(Arc::new(table));
        drop(swapping);
        // Only now: no request may find a closed revision.
        for served in removed {
            served.close(&self.shared);
        }
        if !added.is_empty() {
            self.awaited.on_added(&added);
        }
        self.launch_changes.note(launched);
        done.added = added.len();
        done
    }

    /// Adds or changes a revision for the admin port. Returns whether it is new.
    ///
    /// # Errors
    /// Another revision has a host that this one lists; nothing was changed.
    pub fn put(&self, spec: RevisionSpec) -> Result<bool, Refused> {
        let put = Change::Put(Arc::new(spec));
        let done = self.change(Owner::ADMIN_PORT, [put]);
        match done.refused.into_iter().next() {
            Some((_, why)) => Err(why),
            None => Ok(done.added > 0),
        }
    }

    /// Removes a revision for the admin port and refuses its queued requests. Returns whether it was served.
    pub fn remove(&self, key: &RevisionKey) -> bool {
        let remove = Change::Remove(key.clone());
        self.change(Owner::ADMIN_PORT, [remove]).removed > 0
    }

    /// The revision's current specification.
    #[must_use]
    pub fn config(&self, key: &RevisionKey) -> Option<Arc<RevisionSpec>> {
        self.table.load().spec(key.as_str()).cloned()
    }

    /// The hosts that a revision lists and another one has, each with that one.
    pub(crate) fn lost_hosts(&self, key: &RevisionKey) -> Vec<(HostPattern, RevisionKey)> {
        let table = self.table.load();
        let spec = table.spec(key.as_str()).map(Arc::as_ref);
        let lost = spec.into_iter().flat_map(|spec| table.lost_hosts(spec));
        lost.map(|(host, other)| (host.clone(), other.clone()))
            .collect()
    }

    /// Waits until revisions whose instances are started here were added, changed or removed since the last call, or
    /// their instances no longer are, and returns their keys. At first that is all of them. For a single reader.
    ///
    /// # Cancel safety
    /// No change is lost if the future is dropped.
    pub async fn launch_changes(&self) -> BTreeSet<RevisionKey> {
        self.launch_changes.next().await
    }

    /// The revision of this key, if its instances are started here. Wakes it if it sleeps. It stays awake, and the same
    /// object, for as long as it is held or used.
    pub fn launched(&self, key: &RevisionKey) -> Option<Arc<ServedRevision>> {
        self.config(key)?.launch.as_ref()?;
        let awake = self.table.load().awake(key.as_str()).cloned();
        let served = awake.or_else(|| self.wake(key.as_str()))?;
        served.is_launched().then_some(served)
    }

    /// Replaces the instances of a revision that are started here. They are ready as soon as they are listed. Does
    /// nothing if the revision was removed meanwhile, or its instances are no longer started here. Waking a sleeping
    /// revision waits for it.
    pub fn set_places(&self, served: &ServedRevision, places: &[Place]) {
        let _swapping = self.swapping.lock();
        let table = self.table.load();
        let awake = table.awake(served.key.as_str());
        if awake.is_some_and(|awake| std::ptr::eq(&**awake, served)) {
            served.set_places(places, &self.shared);
        }
    }

    /// Changes how the instances of all revisions are reached that are in a cluster. Waking a sleeping revision waits for
    /// it.
    pub fn set_mesh(&self, mesh: Mesh) {
        let _swapping = self.swapping.lock();
        if self.shared.set_mesh(mesh) {
            let table = self.table.load();
            table.all_awake().for_each(|it| it.apply_mesh(&self.shared));
        }
    }

    /// Sets what finds the private Services of revisions, once. Until then no request goes through one.
    pub fn set_private_services(&self, services: Arc<dyn PrivateServices>) {
        self.shared.set_private_services(services);
    }

    /// The number of the revision's backends by their current state, if it is awake.
    pub(crate) fn backend_counts(&self, key: &RevisionKey) -> Option<BackendCounts> {
        let table = self.table.load();
        Some(table.awake(key.as_str())?.prober.counts())
    }

    /// The first of its backends, each with its state, if it is awake.
    pub(crate) fn backend_states(
        &self,
        key: &RevisionKey,
    ) -> Option<Vec<(SocketAddr, BackendState)>> {
        let table = self.table.load();
        Some(table.awake(key.as_str())?.prober.states())
    }

    /// A consistent list of all specifications, ordered by key. The reader may be slow: nothing waits for it.
    pub(crate) fn list(&self) -> Listing {
        Listing::new(self.table.load_full())
    }

    /// Queues a request for a revision that is not known, until it is. `None` if the queue is full.
    pub(crate) fn wait_for(&self, key: RevisionKey) -> Option<Wait<'_>> {
        Some(self.awaited.wait(key, self.shared.queue_permit()?))
    }

    /// The number of requests that wait for a revision to become known.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Tells the workers that backends were removed.
    pub(crate) fn recall(&self) -> &Recall {
        &self.shared.recall
    }

    /// All that are awake, in no particular order.
    pub(crate) fn awake(&self) -> Vec<Arc<ServedRevision>> {
        self.table.load_full().all_awake().cloned().collect()
    }

    /// The revision of a request. Wakes it if it sleeps.
    pub(crate) fn find(&self, naming: &Naming<'_>) -> Option<Arc<ServedRevision>> {
        let mut room = [0; _];
        let table = self.table.load();
        let key = naming.key(table.hosts(), &mut room)?;
        if let Some(served) = table.awake(key) {
            served.usage.on_request();
            return Some(Arc::clone(served));
        }
        let key = table.spec(key)?.key.clone();
        drop(table);
        self.wake(key.as_str())
    }

    fn wake(&self, key: &str) -> Option<Arc<ServedRevision>> {
        let _swapping = self.swapping.lock();
        let table = self.table.load();
        // Another request may have woken it meanwhile, and it may have been removed.
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
        let table = self.table.load();
        // Each tick asks for those that have requests, which are awake: that is the cheaper look.
        match table.awake(key.as_str()) {
            Some(served) => Some(served.config().revision.clone()),
            None => table.spec(key.as_str()).map(|spec| spec.revision.clone()),
        }
    }
}
