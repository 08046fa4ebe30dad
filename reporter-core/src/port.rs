//! What the outer crates implement: the receiver of gauges, and the list of revisions.

use alloc::sync::Arc;

use crate::{Report, RevisionKey};

/// Receives the gauges of each tick.
///
/// Called from the task that makes reports, never while a request waits; it must not block.
pub trait MetricsBackend: Send {
    /// Takes a tick's report, for its [gauges](Report::gauges).
    fn on_tick(&mut self, report: &Report);
}

/// Where a revision comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its service; empty when it has none.
    pub service: Arc<str>,
    /// Its configuration.
    pub configuration: Arc<str>,
}

/// Knows the revisions that exist.
pub trait RevisionLister: Send + Sync {
    /// The revision with that key; `None` when it does not exist (any more).
    fn revision(&self, key: &RevisionKey) -> Option<Revision>;
}
