//! Whether the running configuration is the one in the file.

use metrics::Gauge;

use crate::names;
use crate::registry::Registry;

/// What becomes of the configuration. A clone records into the same series.
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

    /// The configuration was read, at the start or again, and it was good or not.
    pub fn loaded(&self, good: bool) {
        self.last_reload_success.set(if good { 1.0 } else { 0.0 });
    }
}
