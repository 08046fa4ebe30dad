//! How many requests took how long. Nothing here knows of labels.

use std::time::Duration;

use crate::names::REQUEST_BUCKETS;

/// Requests by how long they took.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    /// By bucket, none in two of them; the last one has no upper bound.
    buckets: [u64; REQUEST_BUCKETS.len() + 1],
    sum: Duration,
}

impl Histogram {
    pub(super) fn record(&mut self, duration: Duration) {
        let seconds = duration.as_secs_f64();
        let bucket = REQUEST_BUCKETS.iter().position(|&bound| seconds <= bound);
        self.buckets[bucket.unwrap_or(REQUEST_BUCKETS.len())] += 1;
        self.sum += duration;
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket += more;
        }
        self.sum += other.sum;
    }

    pub(super) fn sum(&self) -> Duration {
        self.sum
    }

    /// Upper bounds with the number of requests up to each; the last one, with all, is infinite.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = REQUEST_BUCKETS.iter().copied().chain([f64::INFINITY]);
        bounds.zip(self.buckets).scan(0, |total, (bound, count)| {
            *total += count;
            Some((bound, *total))
        })
    }
}
