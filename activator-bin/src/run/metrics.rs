//! Where the reporter and the metrics meet: neither knows the other.

use std::sync::Arc;

use reporter_metrics::Exporter;
use reporter_runtime::ConcurrencyReporter;

use crate::admin::Render;

/// The text of `/metrics`, with the reporter's own figures as of the moment when it is asked for.
pub(super) fn render(exporter: Exporter, reporter: ConcurrencyReporter) -> Render {
    let figures = exporter.reporter();
    Arc::new(move || {
        figures.tracked_keys(reporter.tracked_keys());
        figures.unmatched_outs(reporter.unmatched_outs());
        figures.untracked_requests(reporter.untracked_requests());
        exporter.render()
    })
}
