//! Copies the figures of other modules into the metrics, which know nothing of them.

use std::sync::{Arc, OnceLock};

use reporter_core::{Revision, RevisionKey, RevisionLister};
use reporter_metrics::{BackendMetrics, BackendState, Exporter, RevisionRequests};
use reporter_runtime::ConcurrencyReporter;

use super::cluster::Cluster;
use crate::access_log::AccessLog;
use crate::admin::Make;
use crate::logging;
use crate::revision::{Revisions, ServedRevision};

/// The revisions for the metrics, set later: the metrics are created first, since they count the first probes.
#[derive(Default)]
pub(super) struct LateLister(OnceLock<Arc<Revisions>>);

impl LateLister {
    /// Sets the revisions, once.
    pub(super) fn set(&self, revisions: &Arc<Revisions>) {
        self.0.get_or_init(|| Arc::clone(revisions));
    }
}

impl RevisionLister for LateLister {
    fn revision(&self, key: &RevisionKey) -> Option<Revision> {
        self.0.get()?.revision(key)
    }
}

/// Renders `/metrics`, with all figures as of the scrape.
pub(super) fn render(
    exporter: Exporter,
    reporter: ConcurrencyReporter,
    revisions: Arc<Revisions>,
    access_log: AccessLog,
    cluster: Option<Cluster>,
) -> Make {
    let figures = exporter.reporter();
    let backends = exporter.backends();
    let log = exporter.log();
    Arc::new(move || {
        log.lines_dropped(logging::lines_dropped());
        log.access_lines_dropped(access_log.lines_dropped());
        figures.tracked_keys(reporter.tracked_keys());
        figures.unmatched_outs(reporter.unmatched_outs());
        figures.untracked_requests(reporter.untracked_requests());
        if let Some(cluster) = &cluster {
            cluster.measure();
        }
        let targets = revisions.awake();
        count_backends(&backends, &targets);
        exporter.render(targets.iter().map(|target| requests(target)))
    })
}

fn count_backends(metrics: &BackendMetrics, targets: &[Arc<ServedRevision>]) {
    let mut sums = BackendState::ALL.map(|state| (state, 0));
    for target in targets {
        let counts = target.prober.counts();
        for (state, sum) in &mut sums {
            *sum += counts.of(*state);
        }
    }
    for (state, sum) in sums {
        metrics.count(state, sum);
    }
}

fn requests(target: &ServedRevision) -> RevisionRequests {
    RevisionRequests {
        key: target.key.clone(),
        queued: target.throttle.queued(),
        active: target.throttle.active(),
    }
}
