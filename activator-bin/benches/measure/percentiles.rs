//! Percentiles of samples, as lines that `cargo xtask bench` reads.

use std::time::Duration;

pub(crate) fn print(name: &str, samples: &mut [Duration]) {
    samples.sort_unstable();
    for (percentile, share) in [("p50", 0.5), ("p99", 0.99)] {
        let index = (samples.len() as f64 * share) as usize;
        let micros = samples[index].as_secs_f64() * 1e6;
        println!("{name}, {percentile}: {micros:.1} us");
    }
}
