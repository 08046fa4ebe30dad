//! How near to the truth the autoscaler's panic average is, when a constant load is reported once a second by one or
//! more activators that know nothing of each other's ticks.
//!
//! Knative's autoscaler adds what arrives in the same second of its own clock, averages six seconds, and looks every
//! other second, also into the one that has only begun. (Rules: `pkg/autoscaler/aggregation` of Knative Serving.)

use rand::RngExt;
use rand::rngs::StdRng;

const LOAD: f64 = 100.0;
const PANIC_SECONDS: i64 = 6;
/// How late a report may be: ticks, the network, the autoscaler's own queue.
const JITTER: f64 = 0.02;
const DECISIONS: u32 = 20_000;

pub(super) fn print(random: &mut StdRng) {
    println!("| activators | lowest | mean | highest |");
    println!("|---|---|---|---|");
    for activators in [1, 2, 4, 10] {
        let mut heard: Vec<f64> = (0..DECISIONS)
            .map(|_| decision(activators, random))
            .collect();
        heard.sort_unstable_by(f64::total_cmp);
        let mean = heard.iter().sum::<f64>() / heard.len() as f64;
        let end = |share: f64| heard[(heard.len() as f64 * share) as usize] / LOAD * 100.0;
        println!(
            "| {activators} | {:.0} % | {:.0} % | {:.0} % |",
            end(0.001),
            mean / LOAD * 100.0,
            end(0.999)
        );
    }
}

/// What the panic average is at a random moment: of the last six seconds, but a second in which nothing has come yet
/// does not count.
fn decision(activators: u32, random: &mut StdRng) -> f64 {
    let now = 100.0 + random.random::<f64>();
    let mut arrivals = Vec::new();
    for _ in 0..activators {
        let phase = random.random::<f64>();
        arrivals.extend(
            (80..102).map(|tick| f64::from(tick) + phase + JITTER * random.random::<f64>()),
        );
    }
    arrivals.retain(|&arrives| arrives <= now);
    let newest = arrivals
        .iter()
        .map(|&arrives| arrives as i64)
        .max()
        .unwrap_or(0);
    let unheard = now as i64 - newest;
    let first = now as i64 - PANIC_SECONDS + 1;
    let counted = arrivals
        .iter()
        .filter(|&&arrives| arrives as i64 >= first)
        .count();
    let each = LOAD / f64::from(activators);
    counted as f64 * each / (PANIC_SECONDS - unheard) as f64
}
