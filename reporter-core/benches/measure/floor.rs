//! The floor of a request: the least that timing and counting takes.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

/// As many requests: two readings of `clock` and five atomic additions that nobody contends for.
pub(crate) fn requests(count: usize, clock: impl Fn() -> u64) {
    let counters: [AtomicU64; 5] = Default::default();
    for _ in 0..count {
        let start = clock();
        for counter in black_box(&counters) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        black_box(clock() - start);
    }
}
