//! The connections of clients.

use metrics::Gauge;

use crate::names;
use crate::registry::Registry;

/// Counts connections while they are open. A clone records into the same series.
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

    /// A client's connection was accepted.
    pub fn opened(&self) {
        self.open.increment(1.0);
    }

    /// One that was is gone.
    pub fn closed(&self) {
        self.open.decrement(1.0);
    }
}
