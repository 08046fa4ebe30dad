//! The stats that wait for a receiver, and how their memory follows their number.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use indexmap::map::Entry;

use crate::{RevisionKey, Stat, StatMessage};

type Table<V> = IndexMap<RevisionKey, V, FixedState>;

/// What waits to be sent: one entry per key, in the order in which the keys began to wait.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Exactly the keys of `stats`, oldest first.
    keys: VecDeque<RevisionKey>,
    /// Unordered, so that an entry is removed without moving the others.
    stats: Table<Stat>,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Everything that waits, unordered.
    pub(super) fn stats(&self) -> impl Iterator<Item = &Stat> {
        self.stats.values()
    }

    /// Keeps what waits for `key` from waking its service.
    pub(super) fn zero_average(&mut self, key: &RevisionKey) {
        if let Some(stat) = self.stats.get_mut(key) {
            stat.average_concurrent_requests = 0.0;
        }
    }

    /// Appends a stat, or merges it into the one that waits for the same key.
    pub(super) fn push(&mut self, newer: StatMessage) {
        match self.stats.entry(newer.key) {
            Entry::Occupied(mut entry) => {
                let stat = entry.get_mut();
                stat.average_concurrent_requests = newer.stat.average_concurrent_requests;
                stat.request_count += newer.stat.request_count;
            }
            Entry::Vacant(entry) => {
                self.keys.push_back(entry.key().clone());
                entry.insert(newer.stat);
            }
        }
    }

    /// Takes up to `limit` entries from the front.
    pub(super) fn take(&mut self, limit: usize) -> Vec<StatMessage> {
        let limit = limit.min(self.keys.len());
        let oldest = self.keys.drain(..limit);
        oldest
            .map(|key| {
                let (key, stat) = self
                    .stats
                    .swap_remove_entry(&key)
                    .expect("each key in the line has its stat");
                StatMessage { key, stat }
            })
            .collect()
    }

    /// To be called when the line is at its longest; otherwise the next tick would have to allocate again.
    pub(super) fn shrink(&mut self) {
        if shrink(&mut self.stats) {
            self.keys.shrink_to(self.stats.capacity());
        }
    }
}

/// Frees memory once three quarters are unused, with slack so that one key more or less moves nothing; returns
/// whether it did.
fn shrink<V>(table: &mut Table<V>) -> bool {
    let len = table.len();
    let much = table.capacity() > 8 && len < table.capacity() / 4;
    if much {
        table.shrink_to(len * 2);
    }
    much
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    fn table(capacity: usize, len: usize) -> Table<()> {
        let mut table = Table::with_capacity_and_hasher(capacity, FixedState::default());
        let key = |i| RevisionKey::try_new("default", &format!("rev-{i}")).unwrap();
        table.extend((0..len).map(|i| (key(i), ())));
        assert_eq!((table.capacity(), table.len()), (capacity, len));
        table
    }

    #[test]
    fn a_table_of_more_than_a_few_shrinks_once_three_quarters_are_unused() {
        for (capacity, len, shrunk) in [
            (8, 0, 8),
            (9, 0, 0),
            (9, 1, 2),
            (9, 2, 9),
            (400, 100, 400),
            (400, 99, 198),
        ] {
            let mut table = table(capacity, len);
            let keys: Vec<_> = table.keys().cloned().collect();
            assert_eq!(shrink(&mut table), shrunk != capacity);
            assert_eq!(table.capacity(), shrunk, "{len} of {capacity}");
            assert!(table.keys().eq(&keys), "the order stays");
        }
    }
}
