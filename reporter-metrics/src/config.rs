//! Whether the configuration file could be read.

use metrics::Gauge;

use crate::names;
use crate::registry::Registry;

/// The reads of the configuration. Clones share the same series.
#[derive(Clone)]
pub struct ConfigMetrics {
    last_reload_success: Gauge,
}

impl ConfigMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            last_reload_success: registry.gauge(&names::CONFIG_LAST_RELOAD_SUCCESS, &[]),
        }
    }

    /// The configuration was read, at the start or again; `good` if it is valid.
    pub fn loaded(&self, good: bool) {
        self.last_reload_success.set(if good { 1.0 } else { 0.0 });
    }
}
