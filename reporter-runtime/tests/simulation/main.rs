//! A seeded simulation of the whole reporter with its sinks, in virtual time.
//!
//! `SIMULATION_SEED=7 cargo test -p reporter-runtime --test simulation` runs one seed; all that came of it is printed if it breaks a rule, or with `-- --nocapture`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

#[path = "../support/clock.rs"]
mod clock;
#[path = "../support/ending.rs"]
mod ending;
#[path = "../support/log.rs"]
mod log;
#[path = "../support/merging.rs"]
mod merging;
#[path = "../support/replay.rs"]
mod replay;
#[path = "../support/sink.rs"]
mod sink;

mod coverage;
mod link;
mod plan;
mod run;
mod sinks;
mod traffic;
mod verdict;
mod writer;

use coverage::Coverage;

const SEEDS: u64 = 10_000;

#[test]
fn no_seed_breaks_a_rule() {
    keep_simulated_panics_quiet();
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        let outcome = run::run(seed.parse().unwrap());
        println!("{outcome:#?}");
        verdict::check(&outcome);
        return;
    }
    let coverage = Coverage::default();
    let next = AtomicU64::new(0);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= SEEDS {
                break;
            }
            let run = || {
                let outcome = run::run(seed);
                verdict::check(&outcome);
                coverage.add(&outcome);
            };
            if catch_unwind(AssertUnwindSafe(run)).is_err() {
                // The others need not go on.
                next.store(SEEDS, Ordering::Relaxed);
                panic!(
                    "seed {seed} breaks a rule; to repeat it: \
                     SIMULATION_SEED={seed} cargo test -p reporter-runtime --test simulation"
                );
            }
        }
    };
    let threads = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    coverage.check();
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    keep_simulated_panics_quiet();
    for seed in 0..200 {
        let trace = || format!("{:?}", run::run(seed));
        let (one, other) = (trace(), trace());
        // A trace is long: only where they part is printed.
        let parting = one.bytes().zip(other.bytes()).position(|(a, b)| a != b);
        let from = parting.unwrap_or_default().saturating_sub(100);
        let part = |trace: &str| trace.chars().skip(from).take(200).collect::<String>();
        assert!(
            one == other,
            "seed {seed}:\n{}\n{}",
            part(&one),
            part(&other)
        );
    }
}

/// A sink that panics is part of the plan.
fn keep_simulated_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref() != Some(&"a simulated bug") {
                usual(panic);
            }
        }));
    });
}
