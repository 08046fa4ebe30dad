//! Models of the shards: each runs under every order of its threads that loom can tell apart, up to
//! a number of preemptions. No tokio task is in here, only what threads do to the shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use loom::thread;
use reporter_core::{Accounting, Batch, Cause, RevisionKey, Timestamp};
use tokio::sync::mpsc;

use crate::history::{self, History, HistoryRecord};
use crate::in_flight::InFlight;
use crate::outgoing::Outgoing;
use crate::shards::Shards;
use crate::{Clock, Dispatch};

#[path = "../tests/support/replay.rs"]
mod replay;

use replay::{replay, story};

/// Counts its readings, so that no two moments are the same.
struct Steps(AtomicU64);

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(self.0.fetch_add(1, Ordering::Relaxed))
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
}

struct Model {
    shards: Arc<Shards>,
    outgoing: Outgoing,
    history: History,
}

/// Two shards that may track `max_tracked_keys`.
fn model(accounting: Accounting, max_tracked_keys: usize) -> Model {
    let (recorder, history) = history::recording(64);
    let (sender, first_requests) = mpsc::unbounded_channel();
    let clock = Box::new(Steps(AtomicU64::new(0)));
    let shards = Shards::new(
        accounting,
        2,
        max_tracked_keys,
        clock,
        Some(recorder),
        sender,
    );
    let shards = Arc::new(shards);
    Model {
        outgoing: Outgoing::new(Arc::clone(&shards), first_requests),
        shards,
        history,
    }
}

fn check(preemptions: usize, body: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(body);
}

fn key(name: &str) -> RevisionKey {
    RevisionKey::try_new("default", name).unwrap()
}

/// Counts a request in and out, `times` times.
fn requests(shards: &Arc<Shards>, key: &RevisionKey, times: usize) -> thread::JoinHandle<()> {
    let (shards, key) = (Arc::clone(shards), key.clone());
    thread::spawn(move || {
        for _ in 0..times {
            drop(InFlight::start(&shards, &key));
        }
    })
}

fn dispatched(dispatches: &[Arc<Dispatch>]) -> impl Iterator<Item = &Batch> {
    dispatches.iter().map(|dispatch| &dispatch.batch)
}

/// All records of a history that has ended.
fn records(mut history: History) -> Vec<HistoryRecord> {
    let mut records = Vec::new();
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        match std::pin::pin!(history.recv()).poll(&mut cx) {
            Poll::Ready(Some(record)) => records.push(record),
            Poll::Ready(None) => return records,
            Poll::Pending => panic!("the history has not ended with the last tick"),
        }
    }
}

#[test]
fn a_cold_key_hit_by_all_threads_at_once_has_one_first_request() {
    check(3, || {
        let mut model = model(Accounting::Snapshot, 8);
        let cold = key("cold");
        let others = [
            requests(&model.shards, &cold, 1),
            requests(&model.shards, &cold, 1),
        ];
        let mine = InFlight::start(&model.shards, &cold);
        for other in others {
            other.join().unwrap();
        }
        assert_eq!(model.shards.tracked_keys(), 1);
        let dispatches = model.outgoing.tick(true, |_| ());
        drop(mine);
        let [first, tick] = &dispatches[..] else {
            panic!("{:?}", dispatches);
        };
        assert_eq!(first.batch.cause, Cause::FirstRequest);
        assert_eq!((first.requests(), tick.requests()), (1, 3));
    });
}

#[test]
fn a_request_that_races_the_forgetting_of_its_key_never_loses_its_out() {
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        check(4, move || {
            let mut model = model(accounting, 8);
            let raced = key("raced");
            let other = requests(&model.shards, &raced, 2);
            let mut dispatches = model.outgoing.tick(false, |_| ());
            dispatches.extend(model.outgoing.tick(false, |_| ()));
            other.join().unwrap();
            assert_eq!(model.shards.unmatched_outs(), 0);
            assert!(matches!(model.shards.in_flight(&raced), None | Some(0)));
            for _ in 0..2 {
                dispatches.extend(model.outgoing.tick(false, |_| ()));
            }
            assert_eq!(model.shards.tracked_keys(), 0);
            if accounting == Accounting::Average {
                let requests: u64 = dispatches.iter().map(|dispatch| dispatch.requests()).sum();
                assert_eq!(requests, 2);
            }
        });
    }
}

/// Threads that each count a number of requests for their own key, during two ticks.
fn check_story(preemptions: usize, threads: &'static [(&'static str, usize)]) {
    for accounting in [Accounting::Snapshot, Accounting::Average] {
        check(preemptions, move || {
            let mut model = model(accounting, 8);
            let start = |&(name, times): &(&str, usize)| requests(&model.shards, &key(name), times);
            let others: Vec<_> = threads.iter().map(start).collect();
            let mut dispatches = model.outgoing.tick(false, |_| ());
            dispatches.extend(model.outgoing.tick(true, |_| ()));
            for other in others {
                other.join().unwrap();
            }
            let replayed = replay(accounting, &records(model.history)).batches;
            for (name, _) in threads {
                let key = key(name);
                assert_eq!(story(&key, dispatched(&dispatches)), story(&key, &replayed));
            }
        });
    }
}

#[test]
fn each_keys_story_is_that_of_the_recorded_history() {
    check_story(4, &[("a", 2)]);
    // These two keys live on different shards.
    check_story(2, &[("a", 2), ("b", 1)]);
}

#[test]
fn the_key_limit_is_never_exceeded_and_no_room_leaks() {
    const LIMIT: usize = 1;
    check(3, || {
        let mut model = model(Accounting::Snapshot, LIMIT);
        let counted = Arc::new(AtomicUsize::new(0));
        let hold = |name: &str| {
            let (shards, key) = (Arc::clone(&model.shards), key(name));
            let counted = Arc::clone(&counted);
            move || {
                let guard = InFlight::start(&shards, &key);
                let mine = usize::from(guard.is_counted());
                let keys = counted.fetch_add(mine, Ordering::Relaxed) + mine;
                assert!(keys <= LIMIT, "{keys} keys have requests in flight");
                assert!(shards.tracked_keys() <= LIMIT);
                counted.fetch_sub(mine, Ordering::Relaxed);
            }
        };
        let others = [thread::spawn(hold("a")), thread::spawn(hold("b"))];
        model.outgoing.tick(false, |_| ());
        for other in others {
            other.join().unwrap();
        }
        model.outgoing.tick(false, |_| ());
        assert_eq!(model.shards.tracked_keys(), 0);
        let again = InFlight::start(&model.shards, &key("c"));
        assert!(again.is_counted());
        assert!(!InFlight::start(&model.shards, &key("d")).is_counted());
    });
}
