//! The table from keys to what is known of them: how it hashes, and how its memory follows its keys.

use foldhash::fast::FixedState;
use indexmap::IndexMap;

use crate::RevisionKey;

/// Keeps the order in which keys came, so that nothing depends on how they hash.
pub(crate) type Table<V> = IndexMap<RevisionKey, V, FixedState>;

/// Makes room for one more key by growing a full table by an eighth, where the table itself would double.
pub(crate) fn make_room<V>(table: &mut Table<V>) {
    let len = table.len();
    if len == table.capacity() {
        table.reserve_exact(len / 8 + 8);
    }
}

/// Gives memory back once three quarters are unused, with slack so that a key that comes and goes moves
/// nothing; answers whether it did.
pub(crate) fn give_back<V>(table: &mut Table<V>) -> bool {
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
    fn a_full_table_grows_by_an_eighth_and_another_not_at_all() {
        for (capacity, len, grown) in [
            (0, 0, 8),
            (8, 7, 8),
            (8, 8, 17),
            (800, 799, 800),
            (800, 800, 908),
        ] {
            let mut table = table(capacity, len);
            make_room(&mut table);
            assert_eq!(table.capacity(), grown, "{len} of {capacity}");
        }
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
            assert_eq!(give_back(&mut table), shrunk != capacity);
            assert_eq!(table.capacity(), shrunk, "{len} of {capacity}");
            assert!(table.keys().eq(&keys), "the order stays");
        }
    }
}
