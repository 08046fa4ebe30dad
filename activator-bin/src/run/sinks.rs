//! The sinks that the configuration names.

use std::fs::OpenOptions;
use std::path::Path;

use reporter_runtime::StatSink;
use reporter_runtime::sink::json_lines::JsonLines;

use super::StartError;
use crate::config::{Config, JsonLinesConfig, SinkConfig};

/// Opens all of them.
pub(super) fn open(config: &Config) -> Result<Vec<Box<dyn StatSink>>, StartError> {
    let open = |sink: &SinkConfig| match sink {
        SinkConfig::JsonLines(sink) => json_lines(sink, &config.pod_name),
        SinkConfig::Autoscaler(_) => {
            Err(std::io::Error::other("there is no autoscaler sink in this build").into())
        }
    };
    config.sinks.iter().map(open).collect()
}

fn json_lines(
    JsonLinesConfig { path }: &JsonLinesConfig,
    pod_name: &str,
) -> Result<Box<dyn StatSink>, StartError> {
    Ok(match path {
        None => Box::new(JsonLines::new(
            "json-lines on stdout",
            pod_name,
            tokio::io::stdout(),
        )),
        Some(path) => Box::new(JsonLines::new(
            format!("json-lines in {}", path.display()),
            pod_name,
            append(path)?,
        )),
    })
}

fn append(path: &Path) -> Result<tokio::fs::File, StartError> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    file.map(tokio::fs::File::from_std)
        .map_err(|source| StartError::Sink {
            path: path.to_owned(),
            source,
        })
}
