//! What the outer crates implement: where gauges go, and who knows the revisions.

use alloc::sync::Arc;

use crate::{Report, RevisionKey};

/// Receives the gauges of each tick.
///
/// Called from the task that cuts reports, never on a request's way; it must not block.
pub trait MetricsBackend: Send {
    /// Takes a tick's report, for its [gauges](Report::gauges).
    fn on_tick(&mut self, report: &Report);
}

/// Where a revision comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The service it belongs to; empty when it belongs to none.
    pub service: Arc<str>,
    /// The configuration that made it.
    pub configuration: Arc<str>,
}

/// Knows the revisions that exist.
pub trait RevisionLister: Send + Sync {
    /// The revision with that key, or none when there is no such revision (any more).
    fn revision(&self, key: &RevisionKey) -> Option<Revision>;
}
