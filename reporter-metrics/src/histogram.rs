//! Durations by bucket. Labels are the caller's.

use metrics::HistogramFn;
use parking_lot::Mutex;

/// How many durations are in each bucket of one metric.
#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    bounds: &'static [f64],
    /// Each duration is in one of them; the last one has no upper bound.
    buckets: Box<[u64]>,
    sum: f64,
}

/// A histogram that several threads record into, seconds each.
pub(crate) struct SharedHistogram(pub(crate) Mutex<Histogram>);

impl HistogramFn for SharedHistogram {
    fn record(&self, seconds: f64) {
        self.0.lock().record(seconds);
    }
}

impl Histogram {
    /// An empty one. `bounds` are the upper bounds of its buckets in seconds, without the infinite one.
    pub(crate) fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            buckets: vec![0; bounds.len() + 1].into(),
            sum: 0.0,
        }
    }

    pub(crate) fn record(&mut self, seconds: f64) {
        let bucket = self.bounds.iter().position(|&bound| seconds <= bound);
        self.buckets[bucket.unwrap_or(self.bounds.len())] += 1;
        self.sum += seconds;
    }

    /// Adds another one with the same bounds.
    pub(crate) fn add(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.sum += other.sum;
    }

    pub(crate) fn sum(&self) -> f64 {
        self.sum
    }

    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The finite upper bounds, each with the number of durations up to it.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let buckets = self.bounds.iter().zip(&self.buckets);
        buckets.scan(0, |total, (&bound, count)| {
            *total += count;
            Some((bound, *total))
        })
    }
}
