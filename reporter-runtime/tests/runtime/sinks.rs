//! Sinks that stall, fail, panic or end early: they delay neither the counting nor another sink.

use reporter_core::Accounting;
use reporter_runtime::{Dispatch, StatSink, Undelivered};
use tokio::sync::{mpsc, oneshot};
use tracing::Level;

use crate::log::Log;
use crate::scene::{Scene, key, text};
use crate::sink::sink;

/// A sink that takes nothing before it is told to, and then tells what it sees.
fn stalled() -> (
    Box<dyn StatSink>,
    oneshot::Sender<()>,
    mpsc::UnboundedReceiver<String>,
) {
    let (go_on, told) = oneshot::channel();
    let (sender, seen) = mpsc::unbounded_channel();
    let sink = sink("stalled", |mut mailbox| async move {
        told.await.unwrap();
        while let Some(dispatch) = mailbox.recv().await {
            sender.send(text(&dispatch)).unwrap();
        }
        Ok(())
    });
    (sink, go_on, seen)
}

#[tokio::test(start_paused = true)]
async fn dispatches_for_a_stalled_sink_are_merged_per_key() {
    let (sink, go_on, mut seen) = stalled();
    let mut scene = Scene::with(Accounting::Snapshot, |builder| builder.sink(sink));
    // Two first requests and 14 ticks fill the mailbox.
    let (a, b) = (scene.track("a"), scene.track("b"));
    scene.reach(14_500).await;
    let (a_again, c) = (scene.track("a"), scene.track("c"));
    scene.reach(15_500).await;
    drop((b, c));
    scene.reach(16_500).await;
    assert_eq!(
        scene.seen_so_far().len(),
        2 + 14 + 1 + 2,
        "another sink was delayed"
    );
    assert_eq!(scene.reporter.in_flight(&key("a")), Some(2));

    go_on.send(()).unwrap();
    scene.reach(17_001).await;
    drop((a, a_again));
    for _ in 0..16 {
        seen.recv().await.unwrap();
    }
    // The average is the newest, and 0 for what is forgotten; the counts add up.
    let merged = "14500 tick a 2/1 b 0/0 c 0/2 forgot b forgot c";
    assert_eq!(seen.recv().await.unwrap(), merged);
    assert_eq!(seen.recv().await.unwrap(), "17000 tick a 2/0");

    let (_, stopped) = scene.stop().await;
    let expected = [
        ("stalled".to_owned(), Ok(())),
        ("healthy".to_owned(), Ok(())),
    ];
    assert_eq!(stopped.sinks, expected);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_first_requests_loses_none_at_a_stalled_sink() {
    let (sink, go_on, mut seen) = stalled();
    let mut scene = Scene::with(Accounting::Average, |builder| builder.sink(sink));
    let names: Vec<_> = (0..100).map(|n| format!("key-{n}")).collect();
    let _guards: Vec<_> = names.iter().map(|name| scene.track(name)).collect();
    scene.reach(1).await;
    go_on.send(()).unwrap();
    scene.reach(2).await;
    let mut firsts = Vec::new();
    while let Ok(text) = seen.try_recv() {
        let (at, messages) = text.split_once(" first ").unwrap();
        assert_eq!(at, "0");
        firsts.extend(messages.replace(" 1/1", "").split(' ').map(str::to_owned));
    }
    firsts.sort();
    let mut expected = names;
    expected.sort();
    assert_eq!(firsts, expected);
    scene.seen_so_far();
}

/// What is left to deliver: one first request taken, then 2 + 3 more that find the sink gone.
async fn check_early_end(sink: Box<dyn StatSink>, lost: u64, reason: &str) {
    let log = Log::collect(Level::ERROR);
    let mut scene = Scene::with(Accounting::Snapshot, |builder| builder.sink(sink));
    let guards = [scene.track("a"), scene.track("a")];
    scene.reach(1).await;
    let [(_, line)] = &log.take()[..] else {
        panic!("the end is not logged, or not once");
    };
    assert!(line.contains("the sink has ended"), "{line}");
    assert!(
        line.contains(r#"sink="ends""#) && line.contains(reason),
        "{line}"
    );

    scene.reach(1_001).await;
    let more = [(); 3].map(|()| scene.track("a"));
    scene.reach(2_001).await;
    drop((guards, more));
    let expected = ["0 first a 1/1", "1000 tick a 2/2", "2000 tick a 5/3"];
    assert_eq!(
        scene.seen_so_far(),
        expected,
        "another sink misses something"
    );
    assert_eq!(log.take(), [], "the end is logged more than once");

    let (_, stopped) = scene.stop().await;
    let expected = [
        ("ends".to_owned(), Err(Undelivered { requests: lost })),
        ("healthy".to_owned(), Ok(())),
    ];
    assert_eq!(stopped.sinks, expected);
}

#[tokio::test(start_paused = true)]
async fn dispatches_after_a_sinks_early_end_count_as_lost() {
    let ends = sink("ends", |mut mailbox| async move {
        mailbox.recv().await;
        Ok(())
    });
    check_early_end(ends, 5, "it returned").await;
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_gives_up_counts_what_it_lost() {
    let ends = sink("ends", |mut mailbox| async move {
        let requests = mailbox.recv().await.unwrap().requests();
        Err(Undelivered { requests })
    });
    check_early_end(ends, 6, "reports of 1 requests were not delivered").await;
}

#[tokio::test(start_paused = true)]
async fn dispatches_taken_by_a_panicking_sink_count_as_lost() {
    let ends = sink("ends", |mut mailbox| async move {
        mailbox.recv().await;
        panic!("a bug in a sink");
    });
    check_early_end(ends, 6, "a bug in a sink").await;
}

#[tokio::test(start_paused = true)]
async fn the_backlog_of_a_sink_that_ends_counts_as_lost() {
    let (end, told) = oneshot::channel();
    let ends = sink("ends", |mailbox| async move {
        told.await.unwrap();
        drop(mailbox);
        Ok(())
    });
    let scene = Scene::with(Accounting::Average, |builder| builder.sink(ends));
    // 16 of them fill the mailbox, the rest waits outside.
    let guards: Vec<_> = (0..50).map(|n| scene.track(&format!("key-{n}"))).collect();
    scene.reach(1).await;
    end.send(()).unwrap();
    scene.reach(2).await;
    drop(guards);
    let (_, stopped) = scene.stop().await;
    // A sink that returns without a complaint has delivered what it was handed, as far as can be known.
    let requests = 50 - 16;
    assert_eq!(stopped.sinks[0].1, Err(Undelivered { requests }));
}

#[tokio::test(start_paused = true)]
async fn one_sink_after_another_catches_up_when_both_have_stalled() {
    let (first, first_go_on, mut first_seen) = stalled();
    let (second, second_go_on, mut second_seen) = stalled();
    let scene = Scene::with(Accounting::Average, |builder| {
        builder.sink(first).sink(second)
    });
    let _guard = scene.track("a");
    scene.reach(30_500).await;
    second_go_on.send(()).unwrap();
    scene.reach(30_501).await;
    let expected = 16 + 1;
    assert_eq!(second_seen.len(), expected);
    assert_eq!(first_seen.len(), 0);
    first_go_on.send(()).unwrap();
    scene.reach(30_502).await;
    assert_eq!(first_seen.len(), expected);
    while let Ok(text) = first_seen.try_recv() {
        assert_eq!(Some(text), second_seen.recv().await);
    }
}

#[test]
fn a_dispatch_knows_the_requests_in_it() {
    use reporter_core::{Batch, Stat, StatMessage, Timestamp};
    let message = |name, request_count| StatMessage {
        key: key(name),
        stat: Stat {
            average_concurrent_requests: 9.0,
            request_count,
        },
    };
    let dispatch = Dispatch {
        at: Timestamp::default(),
        time: std::time::SystemTime::UNIX_EPOCH,
        batch: Batch::tick(vec![message("a", 2), message("b", 3)], vec![key("c")]),
    };
    assert_eq!(dispatch.requests(), 5);
}
