//! Opens the configured sinks, and connects their links to the metrics.

use std::sync::Arc;
use std::time::Duration;

use reporter_metrics::{Exporter, LinkMetrics};
use reporter_runtime::sink::autoscaler::{
    AutoscalerConfig, AutoscalerSink, LinkFailure, LinkObserver,
};
use reporter_runtime::sink::json_lines::{FileWriter, JsonLines};
use reporter_runtime::{StatSink, SystemClock};
use tokio::sync::watch;

use super::{StartError, reopening};
use crate::admin::LinkStatus;
use crate::config::{Config, JsonLinesConfig, SinkConfig};

const SHORTEST_FLUSH: Duration = Duration::from_millis(10);

/// The sinks, and the state of their links.
pub(super) struct Sinks {
    pub(super) sinks: Vec<Box<dyn StatSink>>,
    /// For each link to an autoscaler, whether it is up.
    pub(super) links: Vec<watch::Receiver<bool>>,
    pub(super) link_statuses: Vec<Arc<LinkStatus>>,
}

/// Opens all of them, and their files again on each SIGHUP. `clock` is the reporter's. Must be called on a tokio runtime.
///
/// # Errors
/// A file cannot be opened.
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
    };
    for sink in &config.sinks {
        match sink {
            SinkConfig::JsonLines(sink) => {
                let (name, writer) = json_lines(sink)?;
                if let Some(file) = writer.reopener() {
                    reopening::at_hangup(file, "reports")?;
                }
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
