//! The metrics of the activator: their names, what records them, and the Prometheus text.
//!
//! [`METRICS`] is the table of all metrics. An [`Exporter`] hands out the objects that record them,
//! one per part of the activator with a method per event, and writes the text:
//!
//! ```
//! use std::sync::Arc;
//! use reporter_core::{
//!     Accounting, MetricsBackend, Report, Reporter, ReqEvent, Revision, RevisionKey, RevisionLister,
//!     Timestamp,
//! };
//! use reporter_metrics::{ErrorReason, Exporter};
//!
//! struct OneRevision;
//!
//! impl RevisionLister for OneRevision {
//!     fn revision(&self, key: &RevisionKey) -> Option<Revision> {
//!         let revision = Revision { service: "hello".into(), configuration: "hello".into() };
//!         (key.as_str() == "default/hello-00001").then_some(revision)
//!     }
//! }
//!
//! let exporter = Exporter::new("1.2.3", Arc::new(OneRevision));
//! exporter.errors().count(ErrorReason::BackendRefused);
//!
//! // The reporter's driver does this at each tick.
//! let (mut reporter, now) = (Reporter::new(Accounting::Snapshot), Timestamp::default());
//! reporter.on_event(&ReqEvent::req_in("default/hello-00001".parse()?), now)?;
//! let mut report = Report::default();
//! reporter.on_tick(now, &mut report);
//! exporter.revision_gauges().on_tick(&report);
//!
//! let text = exporter.render([]);
//! assert!(text.contains("activator_build_info{version=\"1.2.3\"} 1\n"));
//! assert!(text.contains("activator_errors_total{reason=\"backend_refused\"} 1\n"));
//! assert!(text.contains(concat!(
//!     "kn_revision_request_concurrency{k8s_namespace_name=\"default\",kn_service_name=\"hello\",",
//!     "kn_configuration_name=\"hello\",kn_revision_name=\"hello-00001\"} 1\n",
//! )));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Two rules hold throughout:
//! - Nothing is global: two exporters share nothing.
//! - Series are bounded. A label's values come from a closed set, from the configuration, or from
//!   the revisions that the lister knows; a removed revision has no series. Nothing that a client
//!   sends becomes a label value.
//!
//! What must not live here: counting (that is the core's), serving (the activator's), and any
//! knowledge of the runtime.

#![deny(missing_docs)]

mod backends;
mod block;
mod cluster;
mod config;
mod connections;
mod durations;
mod errors;
mod exporter;
mod histogram;
mod instances;
mod label;
mod legacy;
mod link;
mod log;
mod names;
mod process;
mod queue;
mod registry;
mod reporter;
mod requests;
mod revisions;
mod spans;
mod tls;

pub use backends::{BackendMetrics, BackendState, ProbeOutcome};
pub use cluster::{ClusterMetrics, WatchKind};
pub use config::ConfigMetrics;
pub use connections::ConnectionMetrics;
pub use errors::{ErrorMetrics, ErrorReason};
pub use exporter::Exporter;
pub use instances::{InstanceMetrics, InstanceState, StartCause, StopCause};
pub use link::LinkMetrics;
pub use log::LogMetrics;
pub use names::{Kind, METRICS, Metric, Names};
pub use queue::{QueueLimit, QueueMetrics};
pub use reporter::ReporterMetrics;
pub use requests::{HttpVersion, RequestMetrics, RequestRecorder, Scheme, Served};
pub use revisions::{RevisionGauges, RevisionRequests};
pub use spans::{SpanDrop, SpanMetrics};
pub use tls::{CertificateMetrics, HandshakeMetrics};

// Its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
