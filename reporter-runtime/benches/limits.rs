//! What ratios do not tell: nanoseconds per key of a tick, how long requests wait while ticks run without
//! pause, and bytes per key. Prints a line `NAME: VALUE UNIT` for each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use reporter_core::{Accounting, MetricsBackend, Report, RevisionKey};
use reporter_runtime::{ConcurrencyReporter, InFlight, ReporterTask};
use tokio::runtime::{self, Runtime};

#[path = "measure/load.rs"]
mod load;
#[path = "measure/scan.rs"]
mod scan;

const TICKS: usize = 25;
/// While ticks run without pause. A window is short enough that in some no thread is paused, and long enough
/// that its requests meet many held locks.
const REQUESTS: usize = 1_000_000;
const WINDOW: usize = 50_000;
const ROUNDS: usize = 15;

fn main() {
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        for keys in [100, 1_000, 10_000, 100_000, 1_000_000] {
            ticks(accounting, keys);
        }
        for keys in [100_000, 1_000_000] {
            waits(accounting, keys);
        }
        for keys in [10_000, 100_000, 1_000_000] {
            memory(accounting, keys);
        }
    }
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{name}: {value:.1} {unit}");
}

/// Counts the ticks that have ended.
#[derive(Clone, Default)]
struct Ticks(Arc<AtomicU64>);

impl MetricsBackend for Ticks {
    fn on_tick(&mut self, _report: &Report) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

impl Ticks {
    fn so_far(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

fn reporter(
    accounting: Accounting,
    keys: usize,
    interval: Duration,
    ticks: &Ticks,
) -> (ConcurrencyReporter, ReporterTask) {
    ConcurrencyReporter::builder(accounting)
        .max_tracked_keys(keys)
        .interval(interval)
        .metrics(ticks.clone())
        .spawn()
}

/// A runtime whose clock stands still, so that ticks come when the benchmark says.
fn paused_runtime() -> Runtime {
    runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the machine")
}

/// Lets one tick happen, its batch handed out and dropped.
async fn one_tick(ticks: &Ticks) {
    let before = ticks.so_far();
    tokio::time::advance(Duration::from_secs(1)).await;
    while ticks.so_far() == before {
        tokio::task::yield_now().await;
    }
}

fn ticks(accounting: Accounting, count: usize) {
    let array = scan::array(count);
    let keys = load::keys(count);
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    paused_runtime().block_on(async {
        let ticks = Ticks::default();
        let (reporter, _task) = reporter(accounting, count, Duration::from_secs(1), &ticks);
        let _in_flight = track_all(&reporter, &keys);
        one_tick(&ticks).await;
        for _ in 0..TICKS {
            let start = Instant::now();
            scan::scan(&array);
            floor.push(start.elapsed());
            let start = Instant::now();
            one_tick(&ticks).await;
            ours.push(start.elapsed());
        }
    });
    let per_key = |time: Duration| time.as_nanos() as f64 / count as f64;
    let (ours, floor) = (per_key(median(&mut ours)), per_key(median(&mut floor)));
    let name = format!("tick/{accounting} {count} keys");
    print(&name, ours, "ns per key");
    print(&format!("{name}, to a scan"), ours / floor, "x");
}

fn track_all(reporter: &ConcurrencyReporter, keys: &[RevisionKey]) -> Vec<InFlight> {
    keys.iter().map(|key| reporter.track(key)).collect()
}

/// Locks that ticks hold for long make a request wait in each window. What a pause of the thread adds is not
/// in each, so of the windows' longest waits the least is told.
fn waits(accounting: Accounting, count: usize) {
    let keys = load::keys(count);
    let order = load::order(&keys, REQUESTS, 1);
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .expect("a runtime without I/O needs nothing of the machine but a thread");
    let ticks = Ticks::default();
    let (reporter, task) = {
        let _entered = runtime.enter();
        reporter(accounting, count, Duration::from_nanos(1), &ticks)
    };
    let _in_flight = track_all(&reporter, &keys);
    let (mut nearly_all, mut longest) = (Vec::new(), Duration::MAX);
    let mut times = Vec::with_capacity(WINDOW);
    for window in (0..ROUNDS).flat_map(|_| order.chunks(WINDOW)) {
        times.clear();
        for key in window {
            let start = Instant::now();
            drop(reporter.track(key));
            times.push(start.elapsed());
        }
        times.sort_unstable();
        nearly_all.push(times[times.len() - times.len() / 1_000]);
        longest = longest.min(times[times.len() - 1]);
    }
    let name = format!("in + out during ticks/{accounting} {count} keys");
    let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
    print(
        &format!("{name}, p99.9"),
        micros(median(&mut nearly_all)),
        "us",
    );
    print(&format!("{name}, longest"), micros(longest), "us");
    drop(task);
}

/// Beyond the key's own text; what an `Arc` puts in front of that text is the key's cost, not the caller's.
fn memory(accounting: Accounting, count: usize) {
    const KEY_HEADER: f64 = 2.0 * size_of::<usize>() as f64;
    let keys = load::keys(count);
    let runtime = paused_runtime();
    let ticks = Ticks::default();
    let (reporter, task) = {
        let _entered = runtime.enter();
        reporter(accounting, count, Duration::from_secs(1), &ticks)
    };
    let mut in_flight = Vec::with_capacity(count);
    let held = |work: &mut dyn FnMut()| allocation_counter::measure(work).bytes_current as f64;
    let tracked = held(&mut || {
        in_flight.extend(keys.iter().map(|key| reporter.track(key)));
        runtime.block_on(one_tick(&ticks));
    });
    let gone = held(&mut || {
        in_flight.clear();
        for _ in 0..3 {
            runtime.block_on(one_tick(&ticks));
        }
    });
    let name = format!("memory/{accounting} {count} keys");
    print(&name, tracked / count as f64 + KEY_HEADER, "bytes per key");
    print(
        &format!("{name}, kept when all are gone"),
        100.0 * (tracked + gone) / tracked,
        "%",
    );
    drop(task);
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
