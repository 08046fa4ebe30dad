//! What the outer crates implement: where gauges go, and who knows the revisions.

use alloc::sync::Arc;

use crate::{Gauge, RevisionKey};

/// Receives the gauges of each tick.
///
/// Called from the task that cuts reports, never on a request's way; it must not block.
pub trait MetricsBackend: Send {
    /// Takes the gauge of every key that was tracked until this tick, in the reporter's order.
    fn on_tick(&mut self, gauges: &[Gauge]);
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
