//! A recorded history replays through the pure core to the dispatches of the sinks.

use std::time::Duration;

use reporter_core::{Accounting, ReqEvent};
use reporter_runtime::{ConcurrencyReporter, HistoryOp, HistoryRecord};
use tracing::Level;

use crate::ending::{dispatches, records};
use crate::log::Log;
use crate::merging::{is_complete, is_merged_from, stats};
use crate::replay::{replay, story};
use crate::scene::{Scene, key};
use crate::sink::healthy;

fn spell(records: &[HistoryRecord]) -> Vec<String> {
    let spell = |record: &HistoryRecord| {
        let at = record.at.as_nanos() / 1_000_000;
        match &record.op {
            HistoryOp::In { id, key } => format!("{at} in {id} {}", key.name()),
            HistoryOp::Out { id: Some(id), key } => format!("{at} out {id} {}", key.name()),
            HistoryOp::Out { id: None, key } => format!("{at} out ? {}", key.name()),
            HistoryOp::Tick => format!("{at} tick"),
        }
    };
    records.iter().map(spell).collect()
}

#[tokio::test(start_paused = true)]
async fn a_history_ends_with_the_last_tick() {
    let mut history = None;
    let scene = Scene::with(Accounting::Snapshot, |builder| {
        let (builder, recorded) = builder.max_tracked_keys(2).record(100);
        history = Some(recorded);
        builder
    });
    let a = scene.track("a");
    let b = scene.track("b");
    let uncounted = scene.track("c");
    drop((uncounted, a));
    scene.reach(1_001).await;
    let events = scene.reporter.events();
    for event in [ReqEvent::req_out(key("b")), ReqEvent::req_out(key("b"))] {
        events.send(event).await.unwrap();
    }
    scene.reach(1_500).await;
    let d = scene.track("d");
    let reporter = scene.reporter.clone();
    scene.stop().await;
    // After the last tick: told to nobody, and so not part of the history.
    drop((b, d, reporter.track(&key("e"))));
    let expected = [
        "0 in 1 a",
        "0 in 2 b",
        "0 out 1 a",
        "1000 tick",
        "1001 out ? b",
        "1500 in 3 d",
        "1500 tick",
    ];
    assert_eq!(spell(&records(history.unwrap()).await), expected);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_gets_the_exact_beginning_and_delays_nothing() {
    let log = Log::collect(Level::WARN);
    let mut history = None;
    let scene = Scene::with(Accounting::Snapshot, |builder| {
        let (builder, recorded) = builder.record(3);
        history = Some(recorded);
        builder
    });
    for _ in 0..10 {
        drop(scene.track("a"));
    }
    scene.reach(1_001).await;
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:?}");
    // Room in the channel does not bring a recording with a hole back to life.
    let mut history = history.unwrap();
    let first = history.recv().await.unwrap();
    drop(scene.track("a"));
    let mut records = vec![first];
    while let Some(record) = history.recv().await {
        records.push(record);
    }
    assert_eq!(spell(&records), ["0 in 1 a", "0 out 1 a", "0 in 2 a"]);
    let (seen, _) = scene.stop().await;
    assert_eq!(
        seen,
        [
            "0 first a 1/1",
            "1000 tick forgot a",
            "1001 first a 1/1",
            "1001 tick forgot a"
        ]
    );
}

async fn check_under_concurrency(accounting: Accounting) {
    const THREADS: usize = 4;
    const KEYS: usize = 8;
    let (sink, seen) = healthy();
    let builder = ConcurrencyReporter::builder(accounting)
        .interval(Duration::from_millis(1))
        .shards(4)
        .sink(sink);
    let (builder, history) = builder.record(1 << 20);
    let (reporter, task) = builder.spawn();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let reporter = reporter.clone();
            std::thread::spawn(move || {
                let keys: Vec<_> = (0..KEYS).map(|n| key(&format!("key-{n}"))).collect();
                let mut held = Vec::new();
                for n in 0..10_000 {
                    held.push(reporter.track(&keys[(n * (thread + 1) + n / 7) % KEYS]));
                    // Now and then all keys are left alone, so that ticks forget them.
                    if n % 64 == 63 {
                        held.clear();
                        std::thread::yield_now();
                    } else if n % 3 == 0 {
                        drop(held.swap_remove(0));
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        tokio::task::spawn_blocking(|| thread.join().unwrap())
            .await
            .unwrap();
    }
    task.stop().await;
    let dispatches = dispatches(seen).await;
    let batches: Vec<_> = dispatches
        .iter()
        .map(|dispatch| dispatch.batch.clone())
        .collect();
    let records = records(history).await;
    let ticks = records.iter().filter(|record| record.op == HistoryOp::Tick);
    assert!(ticks.count() > 1, "no tick came in between");
    let replayed = replay(accounting, &records);
    for n in 0..KEYS {
        let key = key(&format!("key-{n}"));
        let (seen, told) = (story(&key, &batches), story(&key, &replayed.batches));
        // A sink that falls behind a thousand ticks a second sees some of them merged.
        let stats: Vec<_> = stats(&seen).collect();
        let merged = seen.len() < told.len();
        let is_merged = merged && is_merged_from(&stats, &told) && is_complete(&stats, &told);
        assert!(seen == told || is_merged, "{key}");
    }
    if accounting == Accounting::Average {
        let messages = batches.iter().flat_map(|batch| &batch.messages);
        let requests: u64 = messages.map(|message| message.stat.request_count).sum();
        assert_eq!(requests, THREADS as u64 * 10_000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_many_threads_replays_to_what_the_sinks_saw_in_snapshot_accounting() {
    check_under_concurrency(Accounting::Snapshot).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_many_threads_replays_to_what_the_sinks_saw_in_average_accounting() {
    check_under_concurrency(Accounting::Average).await;
}
