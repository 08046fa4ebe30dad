//! The sinks that the configuration names, and what is measured of their links.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use reporter_metrics::{Exporter, LinkMetrics};
use reporter_runtime::sink::autoscaler::{
    AutoscalerConfig, AutoscalerSink, LinkFailure, LinkObserver,
};
use reporter_runtime::sink::json_lines::{FileWriter, JsonLines};
use reporter_runtime::{StatSink, SystemClock};
use tokio::sync::watch;

use super::StartError;
use crate::config::{Config, JsonLinesConfig, SinkConfig};

const SHORTEST_FLUSH: Duration = Duration::from_millis(10);

/// The sinks, and how their links do.
pub(super) struct Sinks {
    pub(super) sinks: Vec<Box<dyn StatSink>>,
    /// For each link to an autoscaler whether it is up.
    pub(super) links: Vec<watch::Receiver<bool>>,
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
    };
    for sink in &config.sinks {
        match sink {
            SinkConfig::JsonLines(sink) => {
                opened.sinks.push(json_lines(sink, &config.pod_name)?);
            }
            SinkConfig::Autoscaler(sink) => {
                let sink = AutoscalerConfig {
                    // The sink knows no flush without time.
                    flush_timeout: config.reporter.flush_timeout.max(SHORTEST_FLUSH),
                    ..sink.clone()
                };
                // The name that Knative's dashboards look for, unless it stood for two links.
                let peer = exporter.link(if one_link { "autoscaler" } else { &sink.url });
                let name = format!("autoscaler at {}", sink.url);
                let sink = AutoscalerSink::try_new(name, config.pod_name.as_str(), sink)?
                    .observer(clock, Link(peer));
                opened.links.push(sink.link_up());
                opened.sinks.push(Box::new(sink));
            }
        }
    }
    Ok(opened)
}

fn json_lines(
    JsonLinesConfig { path }: &JsonLinesConfig,
    pod_name: &str,
) -> Result<Box<dyn StatSink>, StartError> {
    let (name, writer) = match path {
        None => ("json-lines on stdout".to_owned(), FileWriter::stdout()?),
        Some(path) => (format!("json-lines in {}", path.display()), append(path)?),
    };
    Ok(Box::new(JsonLines::new(name, pod_name, writer)))
}

fn append(path: &Path) -> Result<FileWriter, StartError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map(FileWriter::new)
        .map_err(|source| StartError::Sink {
            path: path.to_owned(),
            source,
        })
}

/// What a link says, as metrics.
struct Link(LinkMetrics);

impl LinkObserver for Link {
    fn link_up(&self) {
        self.0.link_up();
    }

    fn link_down(&self, _: &LinkFailure) {
        self.0.link_down();
    }

    fn link_closed(&self) {
        self.0.link_closed();
    }

    fn connect_failed(&self, _: &LinkFailure) {
        self.0.connect_failed();
    }

    fn frame_confirmed(&self, _: u64, latency: Duration) {
        self.0.frame_confirmed(latency);
    }

    fn frames_requeued(&self, frames: usize) {
        self.0.frames_requeued(frames);
    }

    fn pending_keys(&self, keys: usize) {
        self.0.pending_keys(keys);
    }

    fn first_report(&self, latency: Duration) {
        self.0.first_report(latency);
    }
}
