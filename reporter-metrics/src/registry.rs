//! The series of the process as a whole, found by metric and label values. They stay for good.
//!
//! What must not live here: which metrics there are.
//!
//! Values are behind the handles of `metrics`, but not in the exporter's recorder: that keeps each observation until an
//! upkeep and writes series in no order. Here a histogram sorts at once, and the maps are in the order of the text.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Counter, Gauge};
use parking_lot::Mutex;

use crate::block::Block;
use crate::histogram::{Histogram, SharedHistogram};
use crate::names::{Kind, Metric};

/// Series by metric and label values; the same ones give the same series.
#[derive(Default)]
pub(crate) struct Registry {
    counters: Series<AtomicU64>,
    /// The bits of an `f64` each.
    gauges: Series<AtomicU64>,
    histograms: Series<SharedHistogram>,
}

impl Registry {
    pub(crate) fn counter(&self, metric: &'static Metric, values: &[&str]) -> Counter {
        self.counters.of(metric, values, AtomicU64::default).into()
    }

    /// Takes any metric but a histogram: what only grows may be set, too.
    pub(crate) fn gauge(&self, metric: &'static Metric, values: &[&str]) -> Gauge {
        self.gauges.of(metric, values, AtomicU64::default).into()
    }

    /// # Panics
    /// If the metric is no histogram.
    pub(crate) fn histogram(&self, metric: &'static Metric, values: &[&str]) -> metrics::Histogram {
        let Kind::Histogram(bounds) = metric.kind else {
            panic!("{} is no histogram", metric.name)
        };
        let new = || SharedHistogram(Mutex::new(Histogram::new(bounds)));
        self.histograms.of(metric, values, new).into()
    }

    /// Writes the series of the block's metric.
    pub(crate) fn write(&self, metric: &Metric, block: &mut Block<'_>) {
        self.counters.each(metric, |values, it| {
            block.sample(values, it.load(Ordering::Relaxed));
        });
        self.gauges.each(metric, |values, it| {
            block.sample(values, f64::from_bits(it.load(Ordering::Relaxed)));
        });
        self.histograms
            .each(metric, |values, it| block.histogram(values, &it.0.lock()));
    }
}

/// By the metric's name.
struct Series<T>(Mutex<BTreeMap<&'static str, ByLabels<T>>>);

type ByLabels<T> = BTreeMap<Vec<String>, Arc<T>>;

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Series<T> {
    fn of(&self, metric: &'static Metric, values: &[&str], new: impl FnOnce() -> T) -> Arc<T> {
        debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
        let mut metrics = self.0.lock();
        let series = metrics.entry(metric.name).or_default();
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Arc::clone(series.entry(values).or_insert_with(|| Arc::new(new())))
    }

    fn each(&self, metric: &Metric, mut visit: impl FnMut(&[String], &T)) {
        for (values, it) in self.0.lock().get(metric.name).into_iter().flatten() {
            visit(values, it);
        }
    }
}
