//! All revisions of one moment, for a reader that takes its time.

use std::sync::Arc;

use reporter_core::RevisionKey;

use super::spec::RevisionSpec;
use super::table::Table;

/// All revisions of one moment, in the order of their keys. What changes meanwhile is in memory twice while it lives.
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
