//! The connections of clients.

use metrics::Gauge;

use crate::names;
use crate::registry::Registry;

/// Counts connections while they are open. Clones share the same series.
#[derive(Clone)]
pub struct ConnectionMetrics {
    open: Gauge,
}

impl ConnectionMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            open: registry.gauge(&names::CONNECTIONS, &[]),
        }
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
