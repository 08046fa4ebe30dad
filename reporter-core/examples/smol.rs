//! The core on the async runtime smol, all on one thread: clients are tasks, a timer makes the ticks, and reports come
//! out of a channel. No lock is needed.
//!
//! `cargo run --package reporter-core --example smol`

use std::cell::RefCell;
use std::time::{Duration, Instant};

use reporter_core::{
    Accounting, Batch, HashedKey, Report, Reporter, RevisionKey, StatMessage, Ticket, Timestamp,
};
use smol::channel::{self, Sender};
use smol::stream::StreamExt as _;
use smol::{LocalExecutor, Timer, future};

/// A client that has no response by then disconnects.
const PATIENCE: Duration = Duration::from_millis(100);

/// One reporter, and where its batches go.
struct Counter {
    reporter: RefCell<Reporter>,
    origin: Instant,
    batches: Sender<Batch>,
}

/// A request in flight. However its future ends, finished or dropped in the middle, it is out.
struct InFlight<'a> {
    counter: &'a Counter,
    ticket: Option<Ticket>,
}

impl Counter {
    fn new(accounting: Accounting, batches: Sender<Batch>) -> Self {
        Self {
            reporter: RefCell::new(Reporter::new(accounting)),
            origin: Instant::now(),
            batches,
        }
    }

    fn track(&self, key: HashedKey<'_>) -> InFlight<'_> {
        let counted = self.reporter.borrow_mut().on_in(key, self.now());
        let (ticket, first) = counted.expect("keys are not limited");
        if let Some(first) = first {
            self.send(Batch::first_request(first));
        }
        InFlight {
            counter: self,
            ticket: Some(ticket),
        }
    }

    fn tick(&self) {
        let mut report = Report::default();
        self.reporter.borrow_mut().on_tick(self.now(), &mut report);
        self.send(Batch::tick(report.messages, report.forgotten));
    }

    fn send(&self, batch: Batch) {
        if !batch.is_empty() {
            let sent = self.batches.try_send(batch);
            sent.expect("the channel has no limit, and is open until nothing counts");
        }
    }

    fn now(&self) -> Timestamp {
        let nanos = self.origin.elapsed().as_nanos();
        Timestamp::from_nanos(u64::try_from(nanos).expect("584 years have not passed"))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            let now = self.counter.now();
            let out = self
                .counter
                .reporter
                .borrow_mut()
                .on_out(ticket, now)
                .map(drop);
            out.expect("each ticket is handed in once");
        }
    }
}

/// Serves `requests` to each of `clients`, with a tick every `period`, and tells `sink` of them.
///
/// Returns when nothing is tracked any more.
fn serve(
    clients: usize,
    requests: usize,
    work: impl AsyncFn(usize),
    period: Duration,
    mut sink: impl FnMut(Batch),
) {
    let keys = ["default/hello", "default/world", "shop/cart-00007"].map(|text| {
        text.parse::<RevisionKey>()
            .expect("the text is a valid key")
    });
    let (batches, reports) = channel::unbounded();
    let counter = Counter::new(Accounting::Average, batches);

    let request = async |number: usize| {
        let _in_flight = counter.track(keys[number % keys.len()].hashed());
        work(number).await;
    };
    let client = async || {
        for number in 0..requests {
            let patience = async { _ = Timer::after(PATIENCE).await };
            future::or(request(number), patience).await;
        }
    };
    let executor = LocalExecutor::new();
    let all_clients = async {
        let tasks: Vec<_> = (0..clients).map(|_| executor.spawn(client())).collect();
        for task in tasks {
            task.await;
        }
    };
    let ticks = async {
        let mut ticks = Timer::interval(period);
        while ticks.next().await.is_some() {
            counter.tick();
        }
    };
    let counting = async {
        future::or(all_clients, ticks).await;
        // The first reports the last requests; the second finds a period without any.
        counter.tick();
        counter.tick();
        counter.batches.close();
    };
    let printing = async {
        while let Ok(batch) = reports.recv().await {
            sink(batch);
        }
    };
    smol::block_on(executor.run(future::zip(counting, printing)));
}

fn main() {
    // Every fifth is too slow for its client.
    let work = async |number: usize| {
        let millis = if number % 5 == 4 { 1_000 } else { 20 };
        Timer::after(Duration::from_millis(millis)).await;
    };
    serve(20, 30, work, Duration::from_millis(250), |batch| {
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

    use reporter_core::Cause;

    use super::*;

    #[test]
    fn every_request_is_reported_once_and_every_key_is_idle_in_the_end() {
        let mut reported = 0;
        let mut woken = 0;
        let mut tracked = HashSet::new();
        // The last request of each client never ends by itself.
        let work = async |number: usize| match number {
            99 => future::pending().await,
            _ => future::yield_now().await,
        };
        serve(4, 100, work, Duration::from_millis(1), |batch| {
            for message in batch.messages {
                reported += message.stat.request_count;
                if batch.cause == Cause::FirstRequest {
                    woken += 1;
                    assert!(tracked.insert(message.key), "it was idle");
                }
            }
            for key in batch.forgotten {
                assert!(
                    tracked.remove(&key),
                    "{key} was heard of before it was idle"
                );
            }
        });
        assert_eq!(reported, 4 * 100);
        assert!(
            woken >= 3,
            "the first request of each key is reported at once"
        );
        assert_eq!(tracked, HashSet::new());
    }
}
