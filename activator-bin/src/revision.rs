//! The revisions that are served, and how a request finds its own. Nothing here counts or connects.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;
use indexmap::{Equivalent, IndexMap};
use reporter_core::{Revision, RevisionKey, RevisionLister};

use crate::config::RevisionConfig;

pub(crate) mod backend;
pub(crate) mod name;

use backend::Backends;
use name::Name;

/// The table of revisions. Readers never wait: a change replaces the table as a whole.
#[derive(Default)]
pub struct Revisions {
    table: ArcSwap<Table>,
}

type Table = IndexMap<TableKey, Arc<Target>, FixedState>;

/// A revision that is served.
pub(crate) struct Target {
    pub(crate) key: RevisionKey,
    pub(crate) revision: Revision,
    pub(crate) backends: Backends,
}

impl Revisions {
    /// A table of these revisions; of two with the same key the later one counts.
    #[must_use]
    pub fn new(revisions: &[RevisionConfig]) -> Self {
        let entry = |config: &RevisionConfig| {
            let target = Target {
                key: config.key.clone(),
                revision: config.revision.clone(),
                backends: Backends::new(&config.backends),
            };
            (TableKey(config.key.clone()), Arc::new(target))
        };
        let table: Table = revisions.iter().map(entry).collect();
        Self {
            table: ArcSwap::from_pointee(table),
        }
    }

    /// The revision that goes by `name`.
    pub(crate) fn find(&self, name: &Name<'_>) -> Option<Arc<Target>> {
        self.table.load().get(name).cloned()
    }
}

impl RevisionLister for Revisions {
    fn revision(&self, key: &RevisionKey) -> Option<Revision> {
        let name = Name {
            namespace: key.namespace(),
            name: key.name(),
        };
        let table = self.table.load();
        table.get(&name).map(|target| target.revision.clone())
    }
}

/// A key as the table hashes it: like the [`Name`] that it is looked up by, so that nothing is copied for a look-up.
struct TableKey(RevisionKey);

impl TableKey {
    fn name(&self) -> Name<'_> {
        Name {
            namespace: self.0.namespace(),
            name: self.0.name(),
        }
    }
}

impl Hash for TableKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
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
        *self == key.name()
    }
}
