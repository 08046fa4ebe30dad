//! Takes the gauges of each tick.

use std::collections::HashSet;
use std::sync::Arc;

use reporter_core::{MetricsBackend, Report, RevisionKey};

use crate::requests::RequestMetrics;
use crate::revisions::Revisions;

/// Unknown keys that are remembered, so that they are not logged again.
const MAX_LOGGED: usize = 1_000;

/// Sets `kn_revision_request_concurrency` for every tracked revision that the lister knows.
///
/// A key that the lister does not know is skipped and logged once, and again only after the lister
/// knew it in between. With 1,000 such keys tracked at once, further ones are not logged.
pub struct RevisionGauges {
    revisions: Arc<Revisions>,
    requests: RequestMetrics,
    /// Keys that were logged as unknown, at most [`MAX_LOGGED`].
    logged: HashSet<RevisionKey>,
}

impl RevisionGauges {
    pub(crate) fn new(revisions: Arc<Revisions>, requests: RequestMetrics) -> Self {
        Self {
            revisions,
            requests,
            logged: HashSet::new(),
        }
    }
}

impl MetricsBackend for RevisionGauges {
    fn on_tick(&mut self, report: &Report) {
        make_room(&mut self.logged, &self.revisions, report);
        let logged = &mut self.logged;
        let known = report.gauges().filter_map(|gauge| {
            let known = self.revisions.is_known(gauge.key);
            if !known {
                log_once(logged, gauge.key);
            }
            known.then_some((gauge.key, gauge.concurrency))
        });
        self.revisions.on_tick(known);
        self.requests.collect(|key| self.revisions.is_known(key));
    }
}

fn make_room(logged: &mut HashSet<RevisionKey>, revisions: &Revisions, report: &Report) {
    logged.retain(|key| !revisions.is_known(key));
    if logged.len() >= MAX_LOGGED {
        let tracked: HashSet<&RevisionKey> = report.gauges().map(|gauge| gauge.key).collect();
        logged.retain(|key| tracked.contains(key));
    }
}

fn log_once(logged: &mut HashSet<RevisionKey>, key: &RevisionKey) {
    if logged.len() < MAX_LOGGED && logged.insert(key.clone()) {
        tracing::warn!(
            %key,
            "requests are in flight for a revision that does not exist (any more); it has no concurrency gauge"
        );
    }
}
