//! The tracked revisions: found by key or ticket, in order of their first request.
//!
//! What must not live here: rules of counting.

use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::accounting::Ledger;
use crate::key::HashedKey;
use crate::{Report, RevisionKey, Ticket, Timestamp};

/// The most entries that a table can hold: indexes have 32 bits.
pub(crate) const MAX_ENTRIES: usize = u32::MAX as usize;

/// Entries lie beside each other, so that a tick reads them as one stream.
pub(crate) struct Table<L: Ledger> {
    /// In order of insertion, so that nothing depends on hashes.
    entries: Vec<Entry<L>>,
    /// The index in `entries` of each key.
    indexes: HashTable<u32>,
    /// The entries from here on are in their first period.
    first_period: usize,
}

/// One tracked revision.
pub(crate) struct Entry<L: Ledger> {
    key: RevisionKey,
    pub(crate) ledger: L,
}

impl<L: Ledger> Table<L> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            indexes: HashTable::new(),
            first_period: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: HashedKey<'_>) -> Option<&Entry<L>> {
        let entries = &self.entries;
        let is_key = |&index: &u32| entries[index as usize].key.is(key.key);
        let index = *self.indexes.find(key.hash, is_key)?;
        Some(&entries[index as usize])
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: HashedKey<'_>) -> Option<&mut Entry<L>> {
        let entries = &self.entries;
        let is_key = |&index: &u32| entries[index as usize].key.is(key.key);
        let index = *self.indexes.find(key.hash, is_key)?;
        Some(&mut self.entries[index as usize])
    }

    /// The entry that the ticket was given for, as long as it is tracked.
    #[inline]
    pub(crate) fn by_ticket(&mut self, ticket: &Ticket) -> Option<&mut Entry<L>> {
        let entries = &self.entries;
        let is_it = |&index: &u32| entries[index as usize].key.identity() == ticket.identity;
        let index = *self.indexes.find(ticket.hash, is_it)?;
        Some(&mut self.entries[index as usize])
    }

    /// Adds an entry for a key that has none. The caller has checked that there are fewer than [`MAX_ENTRIES`].
    pub(crate) fn insert(&mut self, key: HashedKey<'_>, ledger: L) -> &mut Entry<L> {
        let Self {
            entries, indexes, ..
        } = self;
        if entries.len() == entries.capacity() {
            // Grows by an eighth; by itself it would double (`memory/average` in BENCHMARKS.md).
            entries.reserve_exact(entries.len() / 8 + 1);
        }
        let index = u32::try_from(entries.len()).expect("the caller keeps to the limit");
        indexes.insert_unique(key.hash, index, |&index| hash(entries, index));
        entries.push(Entry {
            key: key.key.clone(),
            ledger,
        });
        &mut entries[index as usize]
    }

    /// Ends every entry's period and drops the entries that are to be forgotten.
    pub(crate) fn on_tick(&mut self, now: Timestamp, report: &mut Report) {
        let (mut index, mut removed) = (0, Vec::new());
        self.entries.retain_mut(|entry| {
            let first_period = index >= self.first_period;
            let end = entry.ledger.on_tick(now, first_period);
            report.add(&entry.key, first_period, &end);
            if end.forget {
                removed.push(index as u32);
            }
            index += 1;
            !end.forget
        });
        self.first_period = self.entries.len();
        if !removed.is_empty() {
            self.reindex(&removed);
            self.shrink();
        }
    }

    /// Adapts the indexes to the removal of entries; `removed` are their indexes, sorted.
    fn reindex(&mut self, removed: &[u32]) {
        if self.entries.is_empty() {
            return self.indexes.clear();
        }
        self.indexes
            .retain(|index| match removed.binary_search(index) {
                Ok(_) => false,
                Err(before) => {
                    *index -= before as u32;
                    true
                }
            });
    }

    /// Frees memory once three quarters are unused, with slack so that one key more or less moves nothing.
    fn shrink(&mut self) {
        let Self {
            entries, indexes, ..
        } = self;
        let len = entries.len();
        if entries.capacity() > 8 && len < entries.capacity() / 4 {
            entries.shrink_to(len * 2);
            indexes.shrink_to(len * 2, |&index| hash(entries, index));
        }
    }
}

fn hash<L: Ledger>(entries: &[Entry<L>], index: u32) -> u64 {
    entries[index as usize].key.hashed().hash
}

impl<L: Ledger> Entry<L> {
    pub(crate) fn key(&self) -> &RevisionKey {
        &self.key
    }

    /// The ticket of a request in flight. Until it is handed in, the entry and so the key's identity stay.
    pub(crate) fn ticket(&self, hash: u64) -> Ticket {
        Ticket {
            hash,
            identity: self.key.identity(),
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::accounting::average::Average;
    use crate::accounting::snapshot::Snapshot;

    fn key(number: usize) -> RevisionKey {
        RevisionKey::try_new("default", &format!("rev-{number}")).unwrap()
    }

    /// Keys from 0 on, of which the first `busy` have a request in flight.
    fn table(len: usize, busy: usize) -> Table<Snapshot> {
        let mut table = Table::new();
        for number in 0..len {
            let key = key(number);
            let entry = table.insert(key.hashed(), Snapshot::open(Timestamp::default()));
            if number < busy {
                entry.ledger.on_in(Timestamp::default());
            }
        }
        table
    }

    #[test]
    fn an_entry_is_no_larger_than_a_cache_line_or_half_of_one() {
        assert_eq!(size_of::<Entry<Snapshot>>(), 32);
        assert_eq!(size_of::<Entry<Average>>(), 64);
    }

    #[test]
    fn a_full_table_grows_by_an_eighth() {
        for (len, capacity) in [(1, 1), (8, 8), (9, 10), (10, 10), (11, 12), (91, 94)] {
            assert_eq!(table(len, 0).entries.capacity(), capacity, "{len}");
        }
    }

    #[test]
    fn a_table_shrinks_once_three_quarters_are_unused_and_finds_what_stays() {
        for (len, stays, capacity) in [(8, 0, 8), (9, 0, 0), (9, 1, 2), (9, 2, 10), (91, 22, 44)] {
            let mut table = table(len, stays);
            table.on_tick(Timestamp::default(), &mut Report::default());
            assert_eq!(table.entries.capacity(), capacity, "{stays} of {len}");
            for number in 0..len {
                let found = table
                    .get(key(number).hashed())
                    .map(|entry| entry.key.clone());
                assert_eq!(found, (number < stays).then(|| key(number)));
            }
        }
    }
}
