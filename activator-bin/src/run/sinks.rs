//! Opens the configured sinks, and connects their links to the metrics.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use reporter_metrics::{Exporter, LinkMetrics};
use reporter_runtime::sink::autoscaler::{
    AutoscalerConfig, AutoscalerSink, LinkFailure, LinkObserver,
};
use reporter_runtime::sink::json_lines::{FileWriter, JsonLines, Reopener};
use reporter_runtime::{StatSink, SystemClock};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::StartError;
use crate::admin::LinkStatus;
use crate::config::{Config, JsonLinesConfig, SinkConfig};

const SHORTEST_FLUSH: Duration = Duration::from_millis(10);

/// The sinks, and the state of their links.
pub(super) struct Sinks {
    pub(super) sinks: Vec<Box<dyn StatSink>>,
    /// For each link to an autoscaler, whether it is up.
    pub(super) links: Vec<watch::Receiver<bool>>,
    pub(super) link_statuses: Vec<Arc<LinkStatus>>,
    files: Vec<Reopener>,
}

impl Sinks {
    /// Reopens the files on each SIGHUP, which no longer ends the process. Must be called on a tokio runtime; ends
    /// with it.
    ///
    /// # Errors
    /// The signal cannot be listened for.
    pub(super) fn reopen_at_hangup(&mut self) -> io::Result<()> {
        let files = std::mem::take(&mut self.files);
        if files.is_empty() {
            return Ok(());
        }
        let mut hangup = signal(SignalKind::hangup())?;
        tokio::spawn(async move {
            while hangup.recv().await.is_some() {
                for file in &files {
                    let file = file.clone();
                    let reopening = tokio::task::spawn_blocking(move || reopen(&file));
                    // An error means that the runtime is shutting down.
                    let _ = reopening.await;
                }
            }
        });
        Ok(())
    }
}

fn reopen(file: &Reopener) {
    let path = file.path().display();
    match file.reopen() {
        Ok(()) => tracing::info!("SIGHUP: reopened {path} for reports"),
        Err(error) => {
            tracing::error!(
                "SIGHUP: cannot reopen {path}, reports still go to the old file: {error}"
            );
        }
    }
}

/// Opens all of them. `clock` is the reporter's.
pub(super) fn open(
    config: &Config,
    clock: SystemClock,
    exporter: &Exporter,
) -> Result<Sinks, StartError> {
    let link = |sink: &&SinkConfig| matches!(sink, SinkConfig::Autoscaler(_));
    let one_link = config.sinks.iter().filter(link).count() == 1;
    let mut opened = Sinks {
        sinks: Vec::new(),
        links: Vec::new(),
        link_statuses: Vec::new(),
        files: Vec::new(),
    };
    for sink in &config.sinks {
        match sink {
            SinkConfig::JsonLines(sink) => {
                let (name, writer) = json_lines(sink)?;
                opened.files.extend(writer.reopener());
                let sink = JsonLines::new(name, config.pod_name.as_str(), writer);
                opened.sinks.push(Box::new(sink));
            }
            SinkConfig::Autoscaler(sink) => {
                let sink = AutoscalerConfig {
                    // The sink requires a positive timeout.
                    flush_timeout: config.reporter.flush_timeout.max(SHORTEST_FLUSH),
                    ..sink.clone()
                };
                // The name that Knative's dashboards expect, unless there are several links.
                let peer = exporter.link(if one_link { "autoscaler" } else { &sink.url });
                let name = format!("autoscaler at {}", sink.url);
                let status = Arc::new(LinkStatus::new(&sink.url));
                let link = Link {
                    metrics: peer,
                    status: Arc::clone(&status),
                };
                opened.link_statuses.push(status);
                let sink = AutoscalerSink::try_new(name, config.pod_name.as_str(), sink)?
                    .observer(clock, link);
                opened.links.push(sink.link_up());
                opened.sinks.push(Box::new(sink));
            }
        }
    }
    Ok(opened)
}

/// The sink's name and writer.
fn json_lines(
    JsonLinesConfig { path }: &JsonLinesConfig,
) -> Result<(String, FileWriter), StartError> {
    let Some(path) = path else {
        return Ok(("json-lines on stdout".to_owned(), FileWriter::stdout()?));
    };
    let writer = FileWriter::append(path).map_err(|source| StartError::Sink {
        path: path.clone(),
        source,
    })?;
    Ok((format!("json-lines in {}", path.display()), writer))
}

/// Records the events of a link as metrics, and for those who look.
struct Link {
    metrics: LinkMetrics,
    status: Arc<LinkStatus>,
}

impl LinkObserver for Link {
    fn link_up(&self) {
        self.metrics.link_up();
        self.status.up();
    }

    fn link_down(&self, why: &LinkFailure) {
        self.metrics.link_down();
        self.status.down(Some(why.to_string()));
    }

    fn link_closed(&self) {
        self.metrics.link_closed();
        self.status.down(None);
    }

    fn connect_failed(&self, why: &LinkFailure) {
        self.metrics.connect_failed();
        self.status.down(Some(why.to_string()));
    }

    fn frame_confirmed(&self, _: u64, latency: Duration) {
        self.metrics.frame_confirmed(latency);
        self.status.confirmed();
    }

    fn frames_requeued(&self, frames: usize) {
        self.metrics.frames_requeued(frames);
    }

    fn pending_keys(&self, keys: usize) {
        self.metrics.pending_keys(keys);
        self.status.pending_keys(keys);
    }

    fn first_report(&self, latency: Duration) {
        self.metrics.first_report(latency);
    }
}
