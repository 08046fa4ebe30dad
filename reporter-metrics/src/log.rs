//! What becomes of log lines: a total that is kept elsewhere and copied here before a scrape.

use metrics::Counter;

use crate::names;
use crate::registry::Registry;

/// The log's own figures. A clone records into the same series.
#[derive(Clone)]
pub struct LogMetrics {
    lines_dropped: Counter,
}

impl LogMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            lines_dropped: registry.counter(&names::LOG_LINES_DROPPED, &[]),
        }
    }

    /// So many lines were dropped, in all. A smaller number than before changes nothing.
    pub fn lines_dropped(&self, total: u64) {
        self.lines_dropped.absolute(total);
    }
}
