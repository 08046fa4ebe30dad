//! The table of revisions as a value: what is configured, and which of that is awake. A change makes another
//! table, which shares with the one before all but the way to what was changed.
//!
//! A clone is another name for the same state, for readers that take their time. Both maps are persistent ones of
//! `rpds`: with 100,000 revisions a change takes 2.5 us and with a million 10, where a table of hashes that is cloned
//! takes 6 ms and 60. `imbl` is about as fast to change and faster to search, with less memory (4 MiB instead of 9 per
//! 100,000), but brings five more crates and unsafe code. Shards that are swapped one by one would do
//! for requests; a list of all would be of no one moment, and would have to be sorted.

use std::ops::Bound;
use std::sync::Arc;

use foldhash::fast::FixedState;
use reporter_core::RevisionKey;
use rpds::{HashTrieMapSync, RedBlackTreeMapSync};

use super::owner::Owner;
use super::served::ServedRevision;
use super::spec::RevisionSpec;

/// What is configured, and which of that is awake.
#[derive(Clone, Default)]
pub(super) struct Table {
    /// All revisions, in the order of their keys.
    configured: RedBlackTreeMapSync<RevisionKey, Configured>,
    /// Those that have had a request of late. Few, and the only ones that most requests have to look at.
    awake: HashTrieMapSync<RevisionKey, Arc<ServedRevision>, FixedState>,
}

#[derive(Clone)]
struct Configured {
    spec: Arc<RevisionSpec>,
    owner: Owner,
}

/// What became of a revision that was put.
pub(super) enum Put {
    /// It was not there before.
    Added,
    /// It is otherwise now; what is awake of it has to be told.
    Changed(Option<Arc<ServedRevision>>),
    /// It is as it was.
    Same,
}

impl Table {
    pub(super) fn spec(&self, key: &str) -> Option<&Arc<RevisionSpec>> {
        self.configured.get(key).map(|it| &it.spec)
    }

    /// The first one behind `key`, or of all.
    pub(super) fn spec_after(&self, key: Option<&RevisionKey>) -> Option<&Arc<RevisionSpec>> {
        let from = key.map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = self
            .configured
            .range::<RevisionKey, _>((from, Bound::Unbounded));
        behind.next().map(|(_, it)| &it.spec)
    }

    pub(super) fn awake(&self, key: &str) -> Option<&Arc<ServedRevision>> {
        self.awake.get(key)
    }

    /// All that are awake, in no order.
    pub(super) fn all_awake(&self) -> impl Iterator<Item = &Arc<ServedRevision>> {
        self.awake.values()
    }

    /// From now on the revision is as `spec` says.
    ///
    /// # Errors
    /// It is another's, whose name that is.
    pub(super) fn put(&mut self, by: Owner, spec: &Arc<RevisionSpec>) -> Result<Put, Owner> {
        let key = &spec.key;
        let (put, owner) = match self.configured.get(key) {
            None => (Put::Added, by),
            Some(before) if before.spec == *spec => (Put::Same, before.owner.after_word_of(by)?),
            Some(before) => {
                let served = self.awake.get(key).cloned();
                (Put::Changed(served), before.owner.after_word_of(by)?)
            }
        };
        let spec = Arc::clone(spec);
        self.configured
            .insert_mut(key.clone(), Configured { spec, owner });
        Ok(put)
    }

    /// Takes a revision out, if it is there and not another's; returns what is awake of it.
    pub(super) fn remove(
        &mut self,
        by: Owner,
        key: &RevisionKey,
    ) -> Option<Option<Arc<ServedRevision>>> {
        self.configured.get(key)?.owner.after_word_of(by).ok()?;
        self.configured.remove_mut(key);
        Some(self.fall_asleep(key))
    }

    pub(super) fn wake(&mut self, served: Arc<ServedRevision>) {
        self.awake.insert_mut(served.key.clone(), served);
    }

    /// Takes it out of those that are awake.
    pub(super) fn fall_asleep(&mut self, key: &RevisionKey) -> Option<Arc<ServedRevision>> {
        let served = self.awake.get(key).cloned();
        self.awake.remove_mut(key);
        served
    }
}
