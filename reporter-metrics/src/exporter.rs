//! The one object that all metrics belong to: it hands out what records them and writes the text.
//!
//! What must not live here: what an event means for a metric; that is said where the event is taken.

use std::sync::Arc;

use reporter_core::RevisionLister;

use crate::backends::BackendMetrics;
use crate::block::Block;
use crate::config::ConfigMetrics;
use crate::connections::ConnectionMetrics;
use crate::errors::ErrorMetrics;
use crate::link::LinkMetrics;
use crate::log::LogMetrics;
use crate::names::{self, METRICS};
use crate::process;
use crate::queue::QueueMetrics;
use crate::registry::Registry;
use crate::reporter::ReporterMetrics;
use crate::requests::RequestMetrics;
use crate::revisions::{RevisionGauges, RevisionRequests, Revisions};
use crate::tls::{CertificateMetrics, HandshakeMetrics};

/// All metrics of one activator. A clone stands for the same metrics.
///
/// A metric appears in the text once what records it has been asked for.
#[derive(Clone)]
pub struct Exporter {
    registry: Arc<Registry>,
    revisions: Arc<Revisions>,
    requests: RequestMetrics,
}

impl Exporter {
    /// Metrics of the version `version`, with the revisions that `lister` knows.
    #[must_use]
    pub fn new(version: &str, lister: Arc<dyn RevisionLister>) -> Self {
        let registry = Registry::default();
        registry.gauge(&names::BUILD_INFO, &[version]).set(1.0);
        Self {
            registry: Arc::new(registry),
            revisions: Arc::new(Revisions::new(lister)),
            requests: RequestMetrics::default(),
        }
    }

    /// The text for `GET /metrics`: metrics in the order of their names. `requests` are those of
    /// the revisions that are served now, each of them once.
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
        let mut text = String::new();
        for metric in metrics {
            let block = &mut Block::new(&mut text, metric);
            match *metric {
                names::REQUEST_DURATION => self.requests.write(&self.revisions, block),
                names::REVISION_CONCURRENCY => self.revisions.write(&concurrency, block),
                names::REVISION_QUEUED => requests.iter().for_each(|it| it.write(it.queued, block)),
                names::REVISION_ACTIVE => requests.iter().for_each(|it| it.write(it.active, block)),
                _ => self.registry.write(metric, block),
            }
        }
        text
    }

    /// Takes the gauges of each tick, and lets go of revisions that are gone: let the reporter have it.
    #[must_use]
    pub fn revision_gauges(&self) -> RevisionGauges {
        RevisionGauges::new(Arc::clone(&self.revisions), self.requests.clone())
    }

    /// What the reporter says of itself.
    pub fn reporter(&self) -> ReporterMetrics {
        ReporterMetrics::new(&self.registry)
    }

    /// What happens on the link to `peer`, which is down until it is said to be up.
    pub fn link(&self, peer: &str) -> LinkMetrics {
        LinkMetrics::new(&self.registry, peer)
    }

    /// What becomes of log lines.
    pub fn log(&self) -> LogMetrics {
        LogMetrics::new(&self.registry)
    }

    /// What happens in the queues.
    pub fn queue(&self) -> QueueMetrics {
        QueueMetrics::new(&self.registry)
    }

    /// What becomes of the backends.
    pub fn backends(&self) -> BackendMetrics {
        BackendMetrics::new(&self.registry)
    }

    /// What becomes of the configuration, which is bad until it is said to be good.
    pub fn config(&self) -> ConfigMetrics {
        ConfigMetrics::new(&self.registry)
    }

    /// What becomes of the certificate files that `section` of the configuration names, which are
    /// bad until they are said to be good.
    pub fn certificates(&self, section: &str) -> CertificateMetrics {
        CertificateMetrics::new(&self.registry, section)
    }

    /// The connections of clients.
    pub fn connections(&self) -> ConnectionMetrics {
        ConnectionMetrics::new(&self.registry)
    }

    /// What becomes of connections over TLS before there is a request.
    pub fn handshakes(&self) -> HandshakeMetrics {
        HandshakeMetrics::new(&self.registry)
    }

    /// Requests that did not end as their backend meant.
    pub fn errors(&self) -> ErrorMetrics {
        ErrorMetrics::new(&self.registry)
    }

    /// How long requests take.
    pub fn requests(&self) -> RequestMetrics {
        self.requests.clone()
    }
}
