//! The floor of a tick: a plain scan of an array of the same size.

use std::hint::black_box;

/// As large as a table's entry in `average` accounting: key, hash and books.
type Entry = [u64; 10];

/// An array for [`scan`].
pub(crate) fn array(entries: usize) -> Vec<Entry> {
    vec![[1; 10]; entries]
}

/// Reads every word of an array.
pub(crate) fn scan(array: &[Entry]) {
    let sum = array.iter().flatten().fold(0, |sum, word| sum ^ word);
    black_box(sum);
}
