//! The core on plain threads: workers that count, a thread with the ticks, and one that prints reports.
//!
//! `cargo run --package reporter-core --example threads`

use std::hash::{BuildHasher, RandomState};
use std::sync::mpsc::{self, Sender};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use reporter_core::{
    Accounting, Batch, Report, Reporter, ReqEvent, RevisionKey, StatMessage, Timestamp,
};

/// Reporters that share the keys among them, each behind a lock of its own.
struct Counter {
    shards: Vec<Mutex<Reporter>>,
    hasher: RandomState,
    origin: Instant,
    batches: Sender<Batch>,
}

/// A request in flight. However its worker leaves, it is out.
struct InFlight<'a> {
    counter: &'a Counter,
    key: &'a RevisionKey,
}

impl Counter {
    fn new(accounting: Accounting, batches: Sender<Batch>) -> Self {
        Self {
            shards: (0..16)
                .map(|_| Mutex::new(Reporter::new(accounting)))
                .collect(),
            hasher: RandomState::new(),
            origin: Instant::now(),
            batches,
        }
    }

    fn track<'a>(&'a self, key: &'a RevisionKey) -> InFlight<'a> {
        self.tell(&ReqEvent::req_in(key.clone()));
        InFlight { counter: self, key }
    }

    fn tell(&self, event: &ReqEvent) {
        let shard = self.hasher.hash_one(&event.key) as usize % self.shards.len();
        let mut reporter = lock(&self.shards[shard]);
        // Read under the lock, so that a key's time runs in the order of its events.
        match reporter.on_event(event, self.now()) {
            Ok(Some(first)) => self.send(Batch::first_request(first)),
            Ok(None) => {}
            Err(refused) => eprintln!("{refused}"),
        }
    }

    fn tick(&self) {
        for shard in &self.shards {
            let mut reporter = lock(shard);
            let mut report = Report::default();
            reporter.on_tick(self.now(), &mut report);
            self.send(Batch::tick(report.messages, report.forgotten));
        }
    }

    /// To be called under the shard's lock: the channel then tells each key's story in order.
    fn send(&self, batch: Batch) {
        if !batch.is_empty() {
            self.batches
                .send(batch)
                .expect("the sink listens until the counter is gone");
        }
    }

    fn now(&self) -> Timestamp {
        let nanos = self.origin.elapsed().as_nanos();
        Timestamp::from_nanos(u64::try_from(nanos).expect("584 years have not passed"))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.counter.tell(&ReqEvent::req_out(self.key.clone()));
    }
}

fn lock(shard: &Mutex<Reporter>) -> MutexGuard<'_, Reporter> {
    shard.lock().expect("nobody panics while counting")
}

/// Serves `requests` on each of four threads, with a tick every `period` on a fifth, and tells `sink` of them here.
///
/// Returns when nothing is tracked any more.
fn serve(requests: usize, work: impl Fn() + Sync, period: Duration, sink: impl FnMut(Batch)) {
    let keys = ["default/hello", "default/world", "shop/cart-00007"].map(|text| {
        text.parse::<RevisionKey>()
            .expect("the text is a valid key")
    });
    let (batches, reports) = mpsc::channel();
    let counter = Counter::new(Accounting::Average, batches);
    let worker = |counter: &Counter| {
        for key in keys.iter().cycle().take(requests) {
            let _in_flight = counter.track(key);
            work();
        }
    };
    thread::scope(|outer| {
        // The counter moves in: at its end the reports end.
        outer.spawn(move || {
            thread::scope(|inner| {
                let spawn = |_| inner.spawn(|| worker(&counter));
                let workers: Vec<_> = (0..4).map(spawn).collect();
                while !workers.iter().all(|worker| worker.is_finished()) {
                    thread::sleep(period);
                    counter.tick();
                }
            });
            // The first reports the last requests; the second finds a period without any.
            counter.tick();
            counter.tick();
        });
        reports.into_iter().for_each(sink);
    });
}

fn main() {
    let work = || thread::sleep(Duration::from_millis(20));
    serve(50, work, Duration::from_millis(250), |batch| {
        for StatMessage { key, stat } in &batch.messages {
            let average = stat.average_concurrent_requests;
            let cause = batch.cause;
            println!(
                "{cause:?}: {key} {average:.3} on average, {} came",
                stat.request_count
            );
        }
        for key in &batch.forgotten {
            println!("{:?}: {key} is idle", batch.cause);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_request_is_reported_once_and_every_key_is_idle_in_the_end() {
        let mut reported = 0;
        let mut tracked = HashSet::new();
        serve(300, thread::yield_now, Duration::from_millis(1), |batch| {
            for message in batch.messages {
                reported += message.stat.request_count;
                tracked.insert(message.key);
            }
            for key in batch.forgotten {
                assert!(
                    tracked.remove(&key),
                    "{key} was heard of before it was idle"
                );
            }
        });
        assert_eq!(reported, 4 * 300);
        assert_eq!(tracked, HashSet::new());
    }
}
