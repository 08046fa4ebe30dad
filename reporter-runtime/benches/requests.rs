//! In and out of requests, on one thread and on two, each beside its floor.

use criterion::Criterion;
use reporter_core::{Accounting, RevisionKey};
use reporter_runtime::{Clock, ConcurrencyReporter, InFlight, ReporterTask, SystemClock};
use tokio::runtime::{self, Runtime};

#[path = "measure/floor.rs"]
mod floor;
#[path = "measure/load.rs"]
mod load;
#[path = "measure/ratio.rs"]
mod ratio;

use ratio::{Ratio, beside};

/// Of a round on one thread.
const REQUESTS: usize = 10_000;
/// Of a round on two threads: enough to make the start of a thread small beside them.
const REQUESTS_OF_TWO: usize = 200_000;

fn main() {
    let mut criterion = ratio::criterion();
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        for keys in [1, 100, 10_000] {
            let scene = Scene::new(accounting, keys);
            scene.one_thread(&mut criterion);
            scene.two_threads(&mut criterion);
        }
    }
    criterion.final_summary();
}

struct Scene {
    name: String,
    reporter: ConcurrencyReporter,
    keys: Vec<RevisionKey>,
    /// So that every key stays known.
    _in_flight: Vec<InFlight>,
    // The reporter lives as long as its task's handle and runtime do.
    _task: ReporterTask,
    _runtime: Runtime,
}

impl Scene {
    fn new(accounting: Accounting, keys: usize) -> Self {
        let runtime = runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O needs nothing of the machine");
        let (reporter, task) = {
            let _entered = runtime.enter();
            ConcurrencyReporter::builder(accounting).spawn()
        };
        let name = format!("{accounting} {keys} keys");
        let keys = load::keys(keys);
        Self {
            name,
            _in_flight: keys.iter().map(|key| reporter.track(key)).collect(),
            reporter,
            keys,
            _task: task,
            _runtime: runtime,
        }
    }

    fn one_thread(&self, criterion: &mut Criterion<Ratio>) {
        let requests = load::order(&self.keys, REQUESTS, 1);
        let clock = SystemClock::new();
        beside(
            &format!("in + out/{}", self.name),
            criterion,
            || floor::requests(REQUESTS, || clock.now().as_nanos()),
            || self.serve(&requests),
        );
    }

    /// The same requests on one thread and on two, each with its own order: a ratio of wall times.
    fn two_threads(&self, criterion: &mut Criterion<Ratio>) {
        let orders = [1, 2].map(|seed| load::order(&self.keys, REQUESTS_OF_TWO / 2, seed));
        beside(
            &format!("two threads to one/{}", self.name),
            criterion,
            || orders.iter().for_each(|order| self.serve(order)),
            || {
                std::thread::scope(|scope| {
                    for order in &orders {
                        scope.spawn(|| self.serve(order));
                    }
                });
            },
        );
    }

    fn serve(&self, requests: &[RevisionKey]) {
        for key in requests {
            drop(self.reporter.track(key));
        }
    }
}
