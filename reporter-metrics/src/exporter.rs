//! The one object that all metrics belong to: it hands out what records them and writes the text.
//!
//! What must not live here: what an event means for a metric; that is said where the event is taken.

use std::sync::Arc;

use metrics_process::Collector;
use reporter_core::RevisionLister;

use crate::backends::BackendMetrics;
use crate::config::ConfigMetrics;
use crate::connections::ConnectionMetrics;
use crate::errors::ErrorMetrics;
use crate::link::LinkMetrics;
use crate::log::LogMetrics;
use crate::names;
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
    process: Collector,
}

impl Exporter {
    /// Metrics of the version `version`, with the revisions that `lister` knows.
    #[must_use]
    pub fn new(version: &str, lister: Arc<dyn RevisionLister>) -> Self {
        let registry = Registry::new();
        registry.gauge(&names::BUILD_INFO, &[version]).set(1.0);
        Self {
            registry: Arc::new(registry),
            revisions: Arc::new(Revisions::new(lister)),
            requests: RequestMetrics::default(),
            process: Collector::default(),
        }
    }

    /// The text for `GET /metrics`: metrics in the order of their names. `requests` are those of
    /// the revisions that are served now, each of them once.
    ///
    /// Takes time in proportion to the number of revisions and reads `/proc`, so it does not belong
    /// on a thread that must not block. No tick waits for it.
    #[must_use]
    pub fn render(&self, requests: impl IntoIterator<Item = RevisionRequests>) -> String {
        metrics::with_local_recorder(self.registry.recorder(), || self.process.collect());
        let fixed = self.registry.render();
        // Series can't be taken out of a recorder, so those of revisions live in one that is made
        // for this text alone.
        let revisions = Registry::new();
        self.revisions.record(&revisions);
        for requests in requests {
            requests.record(&revisions);
        }
        let durations = self.requests.render(|key| self.revisions.revision(key));
        sorted([&fixed, &revisions.render(), &durations])
    }

    /// Takes the gauges of each tick.
    ///
    /// It also does the upkeep of all metrics, so that they take no memory while nobody scrapes:
    /// let the reporter have it.
    #[must_use]
    pub fn revision_gauges(&self) -> RevisionGauges {
        let requests = self.requests.clone();
        RevisionGauges::new(
            Arc::clone(&self.revisions),
            Arc::clone(&self.registry),
            requests,
        )
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

/// One text of several, in an order that is the same each time.
fn sorted<const N: usize>(texts: [&String; N]) -> String {
    // No blank line is inside a block: line feeds in label values and help are escaped.
    let blocks = texts.iter().flat_map(|text| text.split("\n\n"));
    // A block starts with the help line, thus with the metric's name.
    let mut blocks: Vec<&str> = blocks.filter(|block| !block.is_empty()).collect();
    blocks.sort_unstable();
    let mut text = String::with_capacity(texts.iter().map(|text| text.len()).sum());
    for block in blocks {
        let mut lines: Vec<&str> = block.lines().collect();
        let is_histogram = lines
            .get(1)
            .is_some_and(|kind| kind.ends_with(" histogram"));
        // A histogram's lines stay in the order of its buckets. In the others `#` sorts before any name.
        if !is_histogram {
            lines.sort_unstable();
        }
        for line in lines {
            // Recorded as a gauge because the counters of `metrics` are whole numbers.
            text.push_str(match line {
                "# TYPE process_cpu_seconds_total gauge" => {
                    "# TYPE process_cpu_seconds_total counter"
                }
                line => line,
            });
            text.push('\n');
        }
    }
    text
}
