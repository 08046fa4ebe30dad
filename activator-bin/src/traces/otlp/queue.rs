//! The queue of spans: bounded in number and bytes, over all who put spans into it and what is being sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use reporter_metrics::{SpanDrop, SpanMetrics};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::traces::span::Trace;

/// The most spans.
pub(super) const MAX_SPANS: usize = 8_192;
/// The most memory that they take, in bytes.
const MAX_BYTES: usize = 16 << 20;

/// Takes spans without ever waiting.
pub(super) struct Queue {
    sender: Sender<Queued>,
    load: Arc<Load>,
    metrics: SpanMetrics,
}

/// The spans of a request; they count until this is dropped.
pub(super) struct Queued {
    pub(super) trace: Trace,
    size: Size,
    load: Arc<Load>,
}

/// How much something takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    spans: usize,
    bytes: usize,
}

/// What is in the queue or being sent.
#[derive(Default)]
struct Load {
    spans: AtomicUsize,
    bytes: AtomicUsize,
    /// How many spans did not fit.
    refused: AtomicU64,
}

impl Load {
    fn reserve(&self, size: Size) -> bool {
        let spans = self.spans.fetch_add(size.spans, Ordering::Relaxed) + size.spans;
        let bytes = self.bytes.fetch_add(size.bytes, Ordering::Relaxed) + size.bytes;
        let fits = spans <= MAX_SPANS && bytes <= MAX_BYTES;
        if !fits {
            self.release(size);
        }
        fits
    }

    fn release(&self, size: Size) {
        self.spans.fetch_sub(size.spans, Ordering::Relaxed);
        self.bytes.fetch_sub(size.bytes, Ordering::Relaxed);
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        self.load.release(self.size);
    }
}

impl Queued {
    pub(super) fn spans(&self) -> usize {
        self.size.spans
    }

    pub(super) fn bytes(&self) -> usize {
        self.size.bytes
    }
}

impl Queue {
    /// A queue, and its other end.
    pub(super) fn new(metrics: SpanMetrics) -> (Self, Receiver<Queued>) {
        // Each has a span at least.
        let (sender, receiver) = mpsc::channel(MAX_SPANS);
        let load = Arc::default();
        let queue = Self {
            sender,
            load,
            metrics,
        };
        (queue, receiver)
    }

    /// Adds the spans of a request, or drops them.
    pub(super) fn push(&self, trace: Trace) {
        let size = Size {
            spans: trace.spans.len(),
            bytes: trace.size(),
        };
        if !self.load.reserve(size) {
            self.load
                .refused
                .fetch_add(size.spans as u64, Ordering::Relaxed);
            self.metrics.dropped(SpanDrop::QueueFull, size.spans);
            return;
        }
        let load = Arc::clone(&self.load);
        let queued = Queued { trace, size, load };
        if self.sender.try_send(queued).is_err() {
            self.metrics.dropped(SpanDrop::Stopped, size.spans);
        }
    }

    pub(super) fn metrics(&self) -> &SpanMetrics {
        &self.metrics
    }

    /// How many spans are in it or being sent.
    pub(super) fn len(&self) -> usize {
        self.load.spans.load(Ordering::Relaxed)
    }

    /// How many did not fit so far.
    pub(super) fn refused(&self) -> u64 {
        self.load.refused.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::traces::otlp::tests::{metrics, trace};

    proptest! {
        // Each has up to 16 MiB.
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Against a list of what is in the queue: `Some` adds spans with a text of that length, `None` takes the oldest.
        #[test]
        fn what_is_in_the_queue_is_bounded(
            steps in proptest::collection::vec(
                proptest::option::weighted(0.9, (1..600usize, 0..3_000_000usize)),
                1..100,
            ),
        ) {
            let (queue, mut received) = Queue::new(metrics().0);
            let mut expected = VecDeque::new();
            let mut refused = 0;
            for step in steps {
                match step {
                    Some((spans, text)) => {
                        let trace = trace(spans, text);
                        let size = (spans, trace.size());
                        queue.push(trace);
                        let sums = expected.iter().fold(size, |sum: (usize, usize), it: &(usize, usize)| {
                            (sum.0 + it.0, sum.1 + it.1)
                        });
                        if sums.0 <= MAX_SPANS && sums.1 <= MAX_BYTES {
                            expected.push_back(size);
                        } else {
                            refused += spans as u64;
                        }
                    }
                    None => {
                        let taken = received.try_recv().ok().map(|it| (it.spans(), it.bytes()));
                        prop_assert_eq!(taken, expected.pop_front());
                    }
                }
                prop_assert_eq!(queue.len(), expected.iter().map(|it| it.0).sum::<usize>());
                prop_assert_eq!(queue.refused(), refused);
            }
        }
    }
}
