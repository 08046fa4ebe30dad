//! Puts the reporter together: its sinks, its metrics, its recording.

use std::path::PathBuf;
use std::sync::Arc;

use reporter_metrics::Exporter;
use reporter_runtime::{ConcurrencyReporter, ReporterTask, StatSink, SystemClock};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{StartError, recording, sinks};
use crate::admin::LinkStatus;
use crate::config::Config;

/// The reporter, and what belongs to it.
pub(super) struct Reporting {
    pub(super) reporter: ConcurrencyReporter,
    pub(super) task: ReporterTask,
    /// Of the history, if it is recorded.
    pub(super) recording: Option<JoinHandle<()>>,
    /// Whether the link to each autoscaler is up.
    pub(super) links: Vec<watch::Receiver<bool>>,
    /// What else is shown of each.
    pub(super) link_statuses: Vec<Arc<LinkStatus>>,
}

impl Reporting {
    /// Reports to the configured sinks and to `others`, on the current tokio runtime; the history goes to `record`.
    ///
    /// # Errors
    /// A file cannot be opened.
    pub(super) fn start(
        config: &Config,
        exporter: &Exporter,
        others: Vec<Box<dyn StatSink>>,
        record: Option<PathBuf>,
    ) -> Result<Self, StartError> {
        let settings = &config.reporter;
        let clock = SystemClock::new();
        let sinks = sinks::open(config, clock, exporter)?;
        let mut builder = ConcurrencyReporter::builder(settings.accounting)
            .clock(clock)
            .interval(settings.interval)
            .max_tracked_keys(settings.max_tracked_keys)
            .flush_timeout(settings.flush_timeout)
            .metrics(exporter.revision_gauges());
        for sink in sinks.sinks.into_iter().chain(others) {
            builder = builder.sink(sink);
        }
        let mut recording = None;
        if let Some(path) = record {
            let (recorded, writing) = recording::start(builder, path)?;
            builder = recorded;
            recording = Some(writing);
        }
        let (reporter, task) = builder.spawn();
        Ok(Self {
            reporter,
            task,
            recording,
            links: sinks.links,
            link_statuses: sinks.link_statuses,
        })
    }
}
