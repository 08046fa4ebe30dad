//! Criterion with a ratio in place of a time: what is measured and its floor run in turns, so that a
//! temporarily slow machine is slow for both.

use std::time::{Duration, Instant};

use criterion::measurement::{Measurement, ValueFormatter};
use criterion::{Bencher, Criterion, SamplingMode, Throughput};

/// How many times its floor something costs.
pub(crate) struct Ratio;

/// A criterion of ratios, with samples short enough for a run of everything in a few minutes.
pub(crate) fn criterion() -> Criterion<Ratio> {
    Criterion::default()
        .with_measurement(Ratio)
        .sample_size(25)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(1_500))
        .without_plots()
        .configure_from_args()
}

/// Measures `subject` as a multiple of `floor`. Either is one round, long enough to time.
pub(crate) fn beside(
    name: &str,
    criterion: &mut Criterion<Ratio>,
    mut floor: impl FnMut(),
    mut subject: impl FnMut(),
) {
    let (group, function) = name.split_once('/').expect("a name is group/function");
    let mut group = criterion.benchmark_group(group);
    group.sampling_mode(SamplingMode::Flat);
    group.bench_function(function, |bencher: &mut Bencher<'_, Ratio>| {
        bencher.iter_custom(|rounds| {
            let mut ratios: Vec<f64> = (0..rounds)
                .map(|_| {
                    let floor = time(&mut floor);
                    time(&mut subject) / floor
                })
                .collect();
            rounds as f64 * median(&mut ratios)
        });
    });
}

fn time(round: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    round();
    start.elapsed().as_secs_f64()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Measurement for Ratio {
    type Intermediate = ();
    type Value = f64;

    fn start(&self) {}

    fn end(&self, (): ()) -> f64 {
        unreachable!("`beside` times both sides itself")
    }

    fn add(&self, one: &f64, other: &f64) -> f64 {
        one + other
    }

    fn zero(&self) -> f64 {
        0.0
    }

    fn to_f64(&self, value: &f64) -> f64 {
        *value
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        self
    }
}

impl ValueFormatter for Ratio {
    fn scale_values(&self, _typical: f64, _values: &mut [f64]) -> &'static str {
        "x"
    }

    fn scale_throughputs(&self, _: f64, _: &Throughput, _: &mut [f64]) -> &'static str {
        "x"
    }

    fn scale_for_machines(&self, _values: &mut [f64]) -> &'static str {
        "x"
    }
}
