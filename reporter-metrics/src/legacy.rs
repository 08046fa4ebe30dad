//! The figures of requests by the names and labels that they had up to Knative 1.18, in milliseconds.
//!
//! What its activator counts as which status was seen by running it: see the test in `tests/metrics/legacy.rs`. Like it,
//! this counts no request without a revision, and rounds durations down to whole milliseconds.

use std::time::Duration;

use reporter_core::{Revision, RevisionKey};

use crate::block::Block;
use crate::durations::{self, Durations, Recorder};
use crate::histogram::Histogram;
use crate::names::{self, LEGACY_BUCKETS, Metric};
use crate::requests::{OTHER, Served};
use crate::revisions::Revisions;

/// The name of the container in Knative's Deployment.
const CONTAINER: &str = "activator";
/// The service of a revision that has none.
const UNKNOWN: &str = "unknown";

/// The labels of a series, besides those of its revision.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Labels {
    Own { status: u16 },
    Rest,
}

impl durations::Labels for Labels {
    const BUCKETS: &'static [f64] = LEGACY_BUCKETS;
    const REST: Self = Self::Rest;
}

impl Labels {
    fn of(request: &Served<'_>) -> Self {
        let status = match (request.status, request.error) {
            // The client disconnected, mostly.
            (None, _) => 502,
            // Upgraded connections.
            (Some(101), _) => 200,
            // The response was cut short.
            (Some(..400), Some(_)) => 500,
            (Some(status), _) => status,
        };
        Self::Own { status }
    }

    /// The values of `response_code` and `response_code_class`.
    fn values(self) -> (String, String) {
        match self {
            Self::Own { status } => (status.to_string(), format!("{}xx", status / 100)),
            Self::Rest => (OTHER.to_owned(), OTHER.to_owned()),
        }
    }
}

/// A request ended.
pub(crate) fn record(recorder: &Recorder<Labels>, request: &Served<'_>, duration: Duration) {
    if request.revision.is_some() {
        let milliseconds = (duration.as_secs_f64() * 1_000.0).floor();
        recorder.record(request.revision, Labels::of(request), milliseconds);
    }
}

/// Writes the text, all of one pod.
pub(crate) struct Legacy<'a> {
    pub(crate) pod: &'a str,
    pub(crate) revisions: &'a Revisions,
    pub(crate) durations: &'a Durations<Labels>,
}

impl Legacy<'_> {
    /// Writes one of the three metrics.
    pub(crate) fn write(
        &self,
        metric: &Metric,
        concurrency: &[(RevisionKey, f64)],
        block: &mut Block<'_>,
    ) {
        match *metric {
            names::LEGACY_CONCURRENCY => {
                for (key, value) in concurrency {
                    if let Some(revision) = self.revisions.revision(key) {
                        block.sample(&self.owner(key, &revision), value);
                    }
                }
            }
            names::LEGACY_COUNT => {
                self.each_series(|values, histogram| block.sample(&values, histogram.count()));
            }
            _ => self.each_series(|values, histogram| block.histogram(&values, histogram)),
        }
    }

    fn each_series(&self, mut write: impl FnMut([&str; 8], &Histogram)) {
        self.durations
            .visit(self.revisions, |owner, labels, histogram| {
                let Some((key, revision)) = owner else { return };
                let [configuration, container, namespace, pod, name, service] =
                    self.owner(key, revision);
                let (code, class) = labels.values();
                let values = [
                    configuration,
                    container,
                    namespace,
                    pod,
                    &code,
                    &class,
                    name,
                    service,
                ];
                write(values, histogram);
            });
    }

    /// The values of the labels that each series has, in their order.
    fn owner<'a>(&'a self, key: &'a RevisionKey, revision: &'a Revision) -> [&'a str; 6] {
        let service: &str = &revision.service;
        [
            &revision.configuration,
            CONTAINER,
            key.namespace(),
            self.pod,
            key.name(),
            if service.is_empty() { UNKNOWN } else { service },
        ]
    }
}
