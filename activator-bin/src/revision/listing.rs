//! A snapshot of all revisions, for a reader that may be slow.

use std::sync::Arc;

use reporter_core::RevisionKey;

use super::spec::RevisionSpec;
use super::table::Table;

/// A snapshot of all revisions, in the order of their keys. While it exists, what changes is in memory twice.
pub(crate) struct Listing {
    table: Arc<Table>,
    last: Option<RevisionKey>,
}

impl Listing {
    pub(super) fn new(table: Arc<Table>) -> Self {
        Self { table, last: None }
    }
}

impl Iterator for Listing {
    type Item = Arc<RevisionSpec>;

    fn next(&mut self) -> Option<Self::Item> {
        let spec = Arc::clone(self.table.spec_after(self.last.as_ref())?);
        self.last = Some(spec.key.clone());
        Some(spec)
    }
}
