//! The connections of clients.

use metrics::Gauge;

use crate::names;
use crate::registry::Registry;

/// Counts connections while they are open. Clones share the same series.
#[derive(Clone)]
pub struct ConnectionMetrics {
    open: Gauge,
    limit: Gauge,
}

impl ConnectionMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            open: registry.gauge(&names::CONNECTIONS, &[]),
            limit: registry.gauge(&names::CONNECTIONS_LIMIT, &[]),
        }
    }

    /// Sets how many may be open at once.
    pub fn limit(&self, limit: usize) {
        self.limit.set(limit as f64);
    }

    /// A client connection was accepted.
    pub fn opened(&self) {
        self.open.increment(1.0);
    }

    /// A client connection was closed.
    pub fn closed(&self) {
        self.open.decrement(1.0);
    }
}
