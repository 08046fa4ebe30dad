//! The owner of all metrics: hands out the objects that record them, and writes the text.
//!
//! What must not live here: what an event means for a metric; the recording objects know.

use std::sync::Arc;

use reporter_core::RevisionLister;

use crate::backends::BackendMetrics;
use crate::block::Block;
use crate::cluster::ClusterMetrics;
use crate::config::ConfigMetrics;
use crate::connections::ConnectionMetrics;
use crate::errors::ErrorMetrics;
use crate::instances::InstanceMetrics;
use crate::legacy::Legacy;
use crate::link::LinkMetrics;
use crate::log::LogMetrics;
use crate::names::{self, METRICS, Names};
use crate::process;
use crate::queue::QueueMetrics;
use crate::registry::Registry;
use crate::reporter::ReporterMetrics;
use crate::requests::RequestMetrics;
use crate::revisions::{RevisionGauges, RevisionRequests, Revisions};
use crate::spans::SpanMetrics;
use crate::tls::{CertificateMetrics, HandshakeMetrics};

/// All metrics of one activator. Clones share the same metrics.
///
/// A metric appears in the text once the object that records it exists.
#[derive(Clone)]
pub struct Exporter {
    registry: Arc<Registry>,
    revisions: Arc<Revisions>,
    requests: RequestMetrics,
    names: Names,
    /// The value of `pod_name` in metrics with legacy names.
    pod: Arc<str>,
}

impl Exporter {
    /// Metrics of an activator of this version, with the revisions that `lister` knows.
    #[must_use]
    pub fn new(version: &str, lister: Arc<dyn RevisionLister>) -> Self {
        Self::with_names(version, lister, Names::Knative, "")
    }

    /// The same, with metrics of these names. Those of [`Names::Legacy`] name the pod in each series.
    #[must_use]
    pub fn with_names(
        version: &str,
        lister: Arc<dyn RevisionLister>,
        names: Names,
        pod: &str,
    ) -> Self {
        let registry = Registry::default();
        registry.gauge(&names::BUILD_INFO, &[version]).set(1.0);
        Self {
            registry: Arc::new(registry),
            revisions: Arc::new(Revisions::new(lister)),
            requests: RequestMetrics::new(names),
            names,
            pod: pod.into(),
        }
    }

    /// The text for `GET /metrics`, metrics in the order of their names. `requests` has each revision
    /// that is served now once.
    ///
    /// Takes time in proportion to the number of revisions and reads `/proc`, so it does not belong
    /// on a thread that must not block. No tick waits for it.
    #[must_use]
    pub fn render(&self, requests: impl IntoIterator<Item = RevisionRequests>) -> String {
        process::measure(&self.registry);
        // Copied, so that a tick does not wait for the text of thousands of revisions.
        let concurrency = self.revisions.concurrency();
        let mut requests: Vec<_> = requests.into_iter().collect();
        requests.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        let mut metrics: Vec<_> = METRICS.iter().collect();
        metrics.sort_unstable_by_key(|metric| metric.name);
        let legacy = self.requests.legacy().map(|durations| Legacy {
            pod: &self.pod,
            revisions: &self.revisions,
            durations,
        });
        let mut text = String::new();
        for metric in metrics {
            let block = &mut Block::new(&mut text, metric);
            match *metric {
                names::REQUEST_DURATION => self.requests.write(&self.revisions, block),
                names::REVISION_CONCURRENCY if self.names.has_knative() => {
                    self.revisions.write(&concurrency, block);
                }
                names::LEGACY_CONCURRENCY | names::LEGACY_COUNT | names::LEGACY_LATENCIES => {
                    if let Some(legacy) = &legacy {
                        legacy.write(metric, &concurrency, block);
                    }
                }
                names::REVISION_QUEUED => requests.iter().for_each(|it| it.write(it.queued, block)),
                names::REVISION_ACTIVE => requests.iter().for_each(|it| it.write(it.active, block)),
                _ => self.registry.write(metric, block),
            }
        }
        text
    }

    /// The metrics backend of the reporter: takes each tick's gauges and forgets removed revisions.
    #[must_use]
    pub fn revision_gauges(&self) -> RevisionGauges {
        RevisionGauges::new(Arc::clone(&self.revisions), self.requests.clone())
    }

    /// The reporter's own figures.
    pub fn reporter(&self) -> ReporterMetrics {
        ReporterMetrics::new(&self.registry)
    }

    /// The link to `peer`, which counts as down until it is reported up.
    pub fn link(&self, peer: &str) -> LinkMetrics {
        LinkMetrics::new(&self.registry, peer)
    }

    /// The log's own figures.
    pub fn log(&self) -> LogMetrics {
        LogMetrics::new(&self.registry)
    }

    /// The queues of requests.
    pub fn queue(&self) -> QueueMetrics {
        QueueMetrics::new(&self.registry)
    }

    /// The backends and their probes.
    pub fn backends(&self) -> BackendMetrics {
        BackendMetrics::new(&self.registry)
    }

    /// The instances that are started on this machine.
    pub fn instances(&self) -> InstanceMetrics {
        InstanceMetrics::new(&self.registry)
    }

    /// What is heard of a Kubernetes cluster.
    pub fn cluster(&self) -> ClusterMetrics {
        ClusterMetrics::new(&self.registry)
    }

    /// The reads of the configuration, which count as failed until one is reported good.
    pub fn config(&self) -> ConfigMetrics {
        ConfigMetrics::new(&self.registry)
    }

    /// The reads of the certificate files in `section` of the configuration, which count as failed
    /// until one is reported good.
    pub fn certificates(&self, section: &str) -> CertificateMetrics {
        CertificateMetrics::new(&self.registry, section)
    }

    /// Client connections.
    pub fn connections(&self) -> ConnectionMetrics {
        ConnectionMetrics::new(&self.registry)
    }

    /// TLS handshakes of clients.
    pub fn handshakes(&self) -> HandshakeMetrics {
        HandshakeMetrics::new(&self.registry)
    }

    /// Requests that failed, were refused or were cut short.
    pub fn errors(&self) -> ErrorMetrics {
        ErrorMetrics::new(&self.registry)
    }

    /// Spans of traced requests.
    pub fn spans(&self) -> SpanMetrics {
        SpanMetrics::new(&self.registry)
    }

    /// How long requests take.
    pub fn requests(&self) -> RequestMetrics {
        self.requests.clone()
    }
}
