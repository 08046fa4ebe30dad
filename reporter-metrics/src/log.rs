//! Dropped log lines: totals that are kept elsewhere and copied here before a scrape.

use metrics::Counter;

use crate::names;
use crate::registry::Registry;

/// The log's own figures. Clones share the same series.
#[derive(Clone)]
pub struct LogMetrics {
    lines_dropped: Counter,
    access_lines_dropped: Counter,
}

impl LogMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            lines_dropped: registry.counter(&names::LOG_LINES_DROPPED, &[]),
            access_lines_dropped: registry.counter(&names::ACCESS_LOG_LINES_DROPPED, &[]),
        }
    }

    /// Sets the total of dropped lines. A smaller number than before changes nothing.
    pub fn lines_dropped(&self, total: u64) {
        self.lines_dropped.absolute(total);
    }

    /// Sets the total of dropped lines of the access log. A smaller number than before changes nothing.
    pub fn access_lines_dropped(&self, total: u64) {
        self.access_lines_dropped.absolute(total);
    }
}
