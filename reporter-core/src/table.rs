//! The tracked revisions: found by key or by ticket, kept in the order in which they came.
//!
//! What must not live here: rules of counting.

use alloc::vec::Vec;

use hashbrown::HashTable;

use crate::accounting::Ledger;
use crate::key::HashedKey;
use crate::{Report, RevisionKey, Ticket, Timestamp};

/// The most entries that a table can hold: their places have 32 bits.
pub(crate) const MOST: usize = u32::MAX as usize;

/// A table of entries that lie beside each other, so that a tick reads them as one stream.
pub(crate) struct Table<L: Ledger> {
    /// In the order in which their keys came, so that nothing depends on how they hash.
    entries: Vec<Entry<L>>,
    /// Where in `entries` each key is.
    places: HashTable<u32>,
    /// The entries from here on are in their first period.
    first_period: usize,
}

/// One tracked revision.
pub(crate) struct Entry<L: Ledger> {
    key: RevisionKey,
    pub(crate) ledger: L,
    _aligned: [L::Alignment; 0],
}

impl<L: Ledger> Table<L> {
    pub(crate) fn new() -> Self {
        Self {
            entries: Vec::new(),
            places: HashTable::new(),
            first_period: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: HashedKey<'_>) -> Option<&Entry<L>> {
        let entries = &self.entries;
        let is_key = |&place: &u32| entries[place as usize].key.is(key.key);
        let place = *self.places.find(key.hash, is_key)?;
        Some(&entries[place as usize])
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, key: HashedKey<'_>) -> Option<&mut Entry<L>> {
        let entries = &self.entries;
        let is_key = |&place: &u32| entries[place as usize].key.is(key.key);
        let place = *self.places.find(key.hash, is_key)?;
        Some(&mut self.entries[place as usize])
    }

    /// The entry that the ticket's request came to, as long as it is tracked.
    #[inline]
    pub(crate) fn of_ticket(&mut self, ticket: &Ticket) -> Option<&mut Entry<L>> {
        let entries = &self.entries;
        let is_it = |&place: &u32| entries[place as usize].key.identity() == ticket.identity;
        let place = *self.places.find(ticket.hash, is_it)?;
        Some(&mut self.entries[place as usize])
    }

    /// Adds an entry for a key that has none. The caller has seen that there are fewer than [`MOST`].
    pub(crate) fn open(&mut self, key: HashedKey<'_>, ledger: L) -> &mut Entry<L> {
        let Self {
            entries, places, ..
        } = self;
        if entries.len() == entries.capacity() {
            // By an eighth, where it would double by itself.
            entries.reserve_exact(entries.len() / 8 + 1);
        }
        let place = u32::try_from(entries.len()).expect("the caller keeps to the most");
        places.insert_unique(key.hash, place, |&place| hash(entries, place));
        entries.push(Entry {
            key: key.key.clone(),
            ledger,
            _aligned: [],
        });
        &mut entries[place as usize]
    }

    /// Ends every entry's period, and lets go of those that are to be forgotten.
    pub(crate) fn on_tick(&mut self, now: Timestamp, report: &mut Report) {
        let (mut place, mut gone) = (0, Vec::new());
        self.entries.retain_mut(|entry| {
            let first_period = place >= self.first_period;
            let closed = entry.ledger.on_tick(now, first_period);
            report.tell(&entry.key, first_period, &closed);
            if closed.forget {
                gone.push(place as u32);
            }
            place += 1;
            !closed.forget
        });
        self.first_period = self.entries.len();
        if !gone.is_empty() {
            self.close_up(&gone);
            self.give_back();
        }
    }

    /// Lets the places follow their entries, now that those at `gone`, which is sorted, have left.
    fn close_up(&mut self, gone: &[u32]) {
        if self.entries.is_empty() {
            return self.places.clear();
        }
        self.places.retain(|place| match gone.binary_search(place) {
            Ok(_) => false,
            Err(before) => {
                *place -= before as u32;
                true
            }
        });
    }

    /// Gives memory back once three quarters are unused, with slack so that a key that comes and goes moves
    /// nothing.
    fn give_back(&mut self) {
        let Self {
            entries, places, ..
        } = self;
        let len = entries.len();
        if entries.capacity() > 8 && len < entries.capacity() / 4 {
            entries.shrink_to(len * 2);
            places.shrink_to(len * 2, |&place| hash(entries, place));
        }
    }
}

fn hash<L: Ledger>(entries: &[Entry<L>], place: u32) -> u64 {
    entries[place as usize].key.hashed().hash
}

impl<L: Ledger> Entry<L> {
    pub(crate) fn key(&self) -> &RevisionKey {
        &self.key
    }

    /// The ticket of a request that is in flight here. Whoever holds it keeps the entry, and so its key's identity.
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
            let entry = table.open(key.hashed(), Snapshot::open(Timestamp::default()));
            if number < busy {
                entry.ledger.on_in(Timestamp::default());
            }
        }
        table
    }

    #[test]
    fn an_entry_is_one_cache_line_or_half_of_one() {
        let sizes = [
            (
                size_of::<Entry<Snapshot>>(),
                align_of::<Entry<Snapshot>>(),
                32,
            ),
            (
                size_of::<Entry<Average>>(),
                align_of::<Entry<Average>>(),
                64,
            ),
        ];
        for (size, align, expected) in sizes {
            assert_eq!((size, align), (expected, expected));
        }
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
