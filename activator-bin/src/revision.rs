//! The revisions that are served, and how a request finds its own. Nothing here passes requests on.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;
use indexmap::{Equivalent, IndexMap};
use parking_lot::Mutex;
use reporter_core::{Revision, RevisionKey, RevisionLister};

use crate::upstream::Recall;

mod backends;
pub(crate) mod name;
mod served;
mod shared;
mod spec;
#[cfg(test)]
mod tests;

pub(crate) use served::ServedRevision;
pub(crate) use shared::{Shared, SharedSettings};
pub use spec::RevisionSpec;

use name::Name;

/// The table of revisions. Readers never wait: a change replaces the table as a whole.
///
/// Per revision the latest word counts, whoever said it. The source says something of a revision
/// only where its set differs from its set before; so what the admin port set stays until the source
/// changes that very revision. Nothing is kept beyond the process: a start knows the source alone.
pub struct Revisions {
    shared: Shared,
    table: ArcSwap<Table>,
    /// What the source said last. Whoever changes anything holds this lock.
    source: Mutex<BTreeMap<RevisionKey, Arc<RevisionSpec>>>,
}

type Table = IndexMap<TableKey, Arc<ServedRevision>, FixedState>;

/// What became of the revisions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Served from now on.
    pub added: usize,
    /// Served as before, but otherwise.
    pub changed: usize,
    /// Not served any more.
    pub removed: usize,
}

impl Revisions {
    /// A table of these revisions, the source's first set; of two with the same key the later one counts.
    #[must_use]
    pub(crate) fn new(revisions: Vec<RevisionSpec>, shared: Shared) -> Self {
        let new = Self {
            shared,
            table: ArcSwap::default(),
            source: Mutex::default(),
        };
        new.replace(revisions);
        new
    }

    /// Takes the set that the source has now. A revision of which it says nothing new stays untouched.
    pub fn replace(&self, revisions: Vec<RevisionSpec>) -> Changes {
        let arc = |config: RevisionSpec| (config.key.clone(), Arc::new(config));
        let now: BTreeMap<_, _> = revisions.into_iter().map(arc).collect();
        let mut source = self.source.lock();
        let before = std::mem::replace(&mut *source, now);
        let news = source
            .iter()
            .filter(|(key, config)| before.get(*key) != Some(config));
        let gone = before.keys().filter(|key| !source.contains_key(*key));
        self.change(news.map(|(_, config)| config), gone)
    }

    /// Serves the revision as `config` says; true when it was not served before.
    pub fn put(&self, config: RevisionSpec) -> bool {
        let _source = self.source.lock();
        self.change([&Arc::new(config)], []).added > 0
    }

    /// Serves the revision no longer, and answers those who wait for it; false when it was not served.
    pub fn remove(&self, key: &RevisionKey) -> bool {
        let _source = self.source.lock();
        self.change([], [key]).removed > 0
    }

    /// The revision as it is served.
    #[must_use]
    pub fn config(&self, key: &RevisionKey) -> Option<Arc<RevisionSpec>> {
        let table = self.table.load();
        table.get(&name_of(key)).map(|target| target.config())
    }

    /// All revisions as they are served at one moment, in the order of their keys.
    #[must_use]
    pub fn configs(&self) -> Vec<Arc<RevisionSpec>> {
        let source = self.source.lock();
        let mut configs: Vec<_> = self.table.load().values().map(|it| it.config()).collect();
        drop(source);
        configs.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        configs
    }

    /// Makes one change of many; the caller holds the lock.
    fn change<'a>(
        &self,
        put: impl IntoIterator<Item = &'a Arc<RevisionSpec>>,
        remove: impl IntoIterator<Item = &'a RevisionKey>,
    ) -> Changes {
        let mut changes = Changes::default();
        let mut table = Table::clone(&self.table.load());
        for config in put {
            match table.get(&name_of(&config.key)) {
                Some(target) => changes.changed += usize::from(target.apply(config, &self.shared)),
                None => {
                    let target = Arc::new(ServedRevision::new(config, &self.shared));
                    table.insert(TableKey(config.key.clone()), target);
                    changes.added += 1;
                }
            }
        }
        let remove = remove.into_iter();
        let removed: Vec<_> = remove
            .filter_map(|key| table.swap_remove(&name_of(key)))
            .collect();
        changes.removed = removed.len();
        self.table.store(Arc::new(table));
        // Only now: nobody may find a revision that is closed.
        for target in removed {
            target.close(&self.shared);
        }
        changes
    }

    /// What tells the workers that backends were taken out.
    pub(crate) fn recall(&self) -> &Recall {
        &self.shared.recall
    }

    /// All that are served now, in no order.
    pub(crate) fn targets(&self) -> Vec<Arc<ServedRevision>> {
        self.table.load().values().cloned().collect()
    }

    /// The revision that goes by `name`.
    pub(crate) fn find(&self, name: &Name<'_>) -> Option<Arc<ServedRevision>> {
        self.table.load().get(name).cloned()
    }
}

impl RevisionLister for Revisions {
    fn revision(&self, key: &RevisionKey) -> Option<Revision> {
        self.config(key).map(|config| config.revision.clone())
    }
}

/// A key as the table hashes it: like the [`Name`] that it is looked up by, so that nothing is copied for a look-up.
#[derive(Clone)]
struct TableKey(RevisionKey);

fn name_of(key: &RevisionKey) -> Name<'_> {
    Name {
        namespace: key.namespace(),
        name: key.name(),
    }
}

impl Hash for TableKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        name_of(&self.0).hash(state);
    }
}

impl PartialEq for TableKey {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TableKey {}

impl Equivalent<TableKey> for Name<'_> {
    fn equivalent(&self, key: &TableKey) -> bool {
        *self == name_of(&key.0)
    }
}
