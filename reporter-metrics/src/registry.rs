//! A recorder that takes only metrics of the table, with the table's labels, buckets and help.
//!
//! What must not live here: which metrics there are.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusRecorder};

use crate::names::{Kind, METRICS, Metric};

static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Series by metric and label values; the same ones give the same series.
pub(crate) struct Registry {
    recorder: PrometheusRecorder,
}

impl Registry {
    pub(crate) fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in METRICS {
            // Without bounds of its own a histogram would become a summary, which can't be aggregated.
            if let Kind::Histogram(bounds) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder
                    .set_buckets_for_metric(name, bounds)
                    .expect("no histogram of the table is without bounds");
            }
        }
        let recorder = builder.build_recorder();
        for metric in METRICS {
            let describe = match metric.kind {
                Kind::Counter => Recorder::describe_counter,
                Kind::Gauge => Recorder::describe_gauge,
                Kind::Histogram(_) => Recorder::describe_histogram,
            };
            describe(&recorder, metric.name.into(), None, metric.help.into());
        }
        Self { recorder }
    }

    pub(crate) fn counter(&self, metric: &Metric, values: &[&str]) -> Counter {
        self.recorder
            .register_counter(&key(metric, values), &METADATA)
    }

    pub(crate) fn gauge(&self, metric: &Metric, values: &[&str]) -> Gauge {
        self.recorder
            .register_gauge(&key(metric, values), &METADATA)
    }

    pub(crate) fn histogram(&self, metric: &Metric, values: &[&str]) -> Histogram {
        self.recorder
            .register_histogram(&key(metric, values), &METADATA)
    }

    /// For libraries that record through the macros of `metrics`.
    pub(crate) fn recorder(&self) -> &dyn Recorder {
        &self.recorder
    }

    /// Sorts observations into their buckets. Until then each takes memory of its own.
    pub(crate) fn upkeep(&self) {
        self.recorder.handle().run_upkeep();
    }

    /// The text of every series, each metric's in one block, the blocks in no order. Includes [`upkeep`](Self::upkeep).
    pub(crate) fn render(&self) -> String {
        self.recorder.handle().render()
    }
}

fn key(metric: &Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let labels = metric.labels.iter().zip(values);
    let labels: Vec<Label> = labels
        .map(|(&name, &value)| Label::new(name, value.to_owned()))
        .collect();
    Key::from_parts(metric.name, labels)
}
