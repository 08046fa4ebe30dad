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
    let much = table.capacity() > 64 && len < table.capacity() / 4;
    if much {
        table.shrink_to(len * 2);
    }
    much
}
