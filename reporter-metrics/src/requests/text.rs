//! The durations of requests as Prometheus text.
//!
//! Written here because the recorder of the other metrics keeps every observation until its upkeep.

use std::fmt::Write;

use reporter_core::{Revision, RevisionKey};

use super::{Histogram, Labels, OTHER, Series, Table};
use crate::names::{Metric, REQUEST_DURATION};

/// One block, or nothing when there is no series.
pub(super) fn render<'a>(
    table: &'a Table,
    revision: impl Fn(&RevisionKey) -> Option<Revision>,
) -> String {
    let Metric {
        name, help, kind, ..
    } = REQUEST_DURATION;
    let mut all = Vec::new();
    let mut push = |owner: [String; 4], series: &'a [Series]| {
        all.extend(
            series
                .iter()
                .map(|(labels, it)| (text(*labels, &owner), it)),
        );
    };
    // Empty labels, which to Prometheus are absent ones.
    push(Default::default(), &table.nobodys);
    for (key, series) in &table.revisions {
        if let Some(revision) = revision(key) {
            push(owner(key, &revision), series);
        }
    }
    if all.is_empty() {
        return String::new();
    }
    all.sort_unstable_by(|a, b| a.0.cmp(&b.0));
    let mut block = format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.as_str());
    for (labels, histogram) in all {
        write_series(&mut block, name, &labels, histogram).expect("a string takes any text");
    }
    block
}

/// The values of the labels that say whose a series is.
fn owner(key: &RevisionKey, revision: &Revision) -> [String; 4] {
    let Revision {
        service,
        configuration,
    } = revision;
    [key.namespace(), service, configuration, key.name()].map(escaped)
}

fn text(labels: Labels, owner: &[String; 4]) -> String {
    let status_text;
    let own = match labels {
        Labels::Own {
            method,
            scheme,
            version,
            status,
            error,
        } => {
            status_text = status.map_or_else(String::new, |status| status.to_string());
            let error = error.map_or("", |error| error.as_str());
            [
                method,
                scheme.as_str(),
                version.as_str(),
                &status_text,
                error,
            ]
        }
        Labels::Rest => [OTHER; 5],
    };
    let values = own.into_iter().chain(owner.iter().map(String::as_str));
    let pairs = REQUEST_DURATION.labels.iter().zip(values);
    let pairs: Vec<_> = pairs
        .map(|(name, value)| format!("{name}=\"{value}\""))
        .collect();
    pairs.join(",")
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn write_series(
    block: &mut String,
    name: &str,
    labels: &str,
    histogram: &Histogram,
) -> std::fmt::Result {
    let mut count = 0;
    for (bound, requests) in histogram.buckets() {
        let bound = match bound.is_finite() {
            true => bound.to_string(),
            false => "+Inf".to_owned(),
        };
        writeln!(block, "{name}_bucket{{{labels},le=\"{bound}\"}} {requests}")?;
        count = requests;
    }
    let sum = histogram.sum().as_secs_f64();
    writeln!(block, "{name}_sum{{{labels}}} {sum}")?;
    writeln!(block, "{name}_count{{{labels}}} {count}")
}
