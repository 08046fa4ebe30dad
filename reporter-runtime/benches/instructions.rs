//! Work to count instructions of: `SCENE ROUNDS` sets SCENE up and does as many rounds of it. Two runs with
//! different numbers of rounds differ by what the rounds cost. `cargo xtask bench instructions` makes them.

use std::hint::black_box;
use std::time::Duration;

use reporter_core::{Accounting, Report, Reporter, ReqEvent, RevisionKey, Timestamp};
use reporter_runtime::ConcurrencyReporter;
use tokio::runtime;

#[path = "measure/load.rs"]
mod load;

/// A tick's keys, and the different keys of requests.
const KEYS: usize = 1_000;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| word != "--bench")
        .collect();
    let [scene, rounds] = &*arguments else {
        // As one of all benchmarks there is nothing to do: only two runs under valgrind say something.
        return;
    };
    let rounds = rounds.parse().expect("the number of rounds is a number");
    let keys = load::keys(KEYS);
    match scene.split_once(' ').expect("a scene has an accounting") {
        ("core-in-out", accounting) => core_in_out(parse(accounting), &keys, rounds),
        ("core-tick", accounting) => core_tick(parse(accounting), &keys, rounds),
        ("in-out", accounting) => in_out(parse(accounting), &keys, rounds),
        ("tick", accounting) => tick(parse(accounting), &keys, rounds),
        _ => panic!("no scene is called {scene}"),
    }
}

fn parse(accounting: &str) -> Accounting {
    accounting.parse().expect("an accounting is named")
}

/// A round is one request.
fn core_in_out(accounting: Accounting, keys: &[RevisionKey], rounds: usize) {
    let mut reporter = core_reporter(accounting, keys);
    let pairs: Vec<_> = load::order(keys, KEYS, 1)
        .iter()
        .map(|key| {
            [
                ReqEvent::req_in(key.clone()),
                ReqEvent::req_out(key.clone()),
            ]
        })
        .collect();
    for (now, pair) in (1..).zip(pairs.iter().cycle().take(rounds)) {
        for event in pair {
            let _ = black_box(reporter.on_event(event, Timestamp::from_nanos(now)));
        }
    }
}

/// A round is one tick of `KEYS` keys.
fn core_tick(accounting: Accounting, keys: &[RevisionKey], rounds: usize) {
    let mut reporter = core_reporter(accounting, keys);
    for now in 1..=rounds as u64 {
        let mut report = Report::default();
        reporter.on_tick(Timestamp::from_nanos(now), &mut report);
        black_box(&report);
    }
}

fn core_reporter(accounting: Accounting, keys: &[RevisionKey]) -> Reporter {
    let mut reporter = Reporter::new(accounting);
    for key in keys {
        let first = reporter.on_event(&ReqEvent::req_in(key.clone()), Timestamp::default());
        first.expect("there is room");
    }
    reporter
}

/// A round is one request.
fn in_out(accounting: Accounting, keys: &[RevisionKey], rounds: usize) {
    with_reporter(accounting, async |reporter| {
        let _known: Vec<_> = keys.iter().map(|key| reporter.track(key)).collect();
        for key in load::order(keys, KEYS, 1).iter().cycle().take(rounds) {
            drop(black_box(reporter.track(key)));
        }
    });
}

/// A round is one tick of `KEYS` keys, with the batch and whatever the task does around it.
fn tick(accounting: Accounting, keys: &[RevisionKey], rounds: usize) {
    with_reporter(accounting, async |reporter| {
        let _known: Vec<_> = keys.iter().map(|key| reporter.track(key)).collect();
        for _ in 0..rounds {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
}

fn with_reporter(accounting: Accounting, work: impl AsyncFnOnce(ConcurrencyReporter)) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the machine");
    runtime.block_on(async {
        let (reporter, _task) = ConcurrencyReporter::builder(accounting).spawn();
        work(reporter).await;
    });
}
