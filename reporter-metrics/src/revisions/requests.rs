//! The requests of a revision: waiting, and being proxied.

use reporter_core::RevisionKey;

use crate::block::Block;

/// The requests of one revision at the time of a scrape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionRequests {
    /// The revision.
    pub key: RevisionKey,
    /// Requests that wait for capacity.
    pub queued: usize,
    /// Requests that have capacity and are being proxied.
    pub active: usize,
}

impl RevisionRequests {
    pub(crate) fn write(&self, value: usize, block: &mut Block<'_>) {
        block.sample(&[self.key.namespace(), self.key.name()], value);
    }
}
