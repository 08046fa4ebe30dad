//! The memory of metrics. In its own process, so that nothing else changes the figure.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::{MetricsBackend, Report, Revision, RevisionKey, RevisionLister};
use reporter_metrics::Exporter;

struct NoRevisions;

impl RevisionLister for NoRevisions {
    fn revision(&self, _: &RevisionKey) -> Option<Revision> {
        None
    }
}

fn resident_bytes(exporter: &Exporter) -> f64 {
    let text = exporter.render([]);
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
    line.and_then(|value| value.parse().ok())
        .expect("the process is measured")
}

#[test]
fn observations_take_no_memory_between_scrapes() {
    let exporter = Exporter::new("1.2.3", Arc::new(NoRevisions));
    let queue = exporter.queue();
    let mut revision_gauges = exporter.revision_gauges();
    let before = resident_bytes(&exporter);
    // Kept one by one they would take more than 16 bytes each.
    let observations = 2_000_000;
    for n in 0..observations {
        queue.waited(Duration::from_millis(n % 100));
        if n % 10_000 == 0 {
            revision_gauges.on_tick(&Report::default());
        }
    }
    // Without help from the rendering: what it would free is still there when it reads `/proc`.
    let grown = resident_bytes(&exporter) - before;
    assert!(grown < 16_000_000.0, "{grown} bytes");
}
