//! What the requests of a revision do now.

use reporter_core::RevisionKey;

use crate::names;
use crate::registry::Registry;

/// The requests of one revision, as of the moment of a text.
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
    pub(crate) fn record(&self, registry: &Registry) {
        let labels = [self.key.namespace(), self.key.name()];
        let gauge = |metric| registry.gauge(metric, &labels);
        gauge(&names::REVISION_QUEUED).set(self.queued as f64);
        gauge(&names::REVISION_ACTIVE).set(self.active as f64);
    }
}
