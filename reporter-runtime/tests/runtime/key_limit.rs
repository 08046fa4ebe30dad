//! Beyond the key limit, requests are served, not counted, and logged once.

use reporter_core::{Accounting, ReqEvent};
use tokio::sync::{mpsc, oneshot};
use tracing::Level;

use crate::log::Log;
use crate::scene::{Scene, key};
use crate::sink::sink;

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("key-{n}"))
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_keys_is_served_but_not_counted_and_logged_once() {
    const LIMIT: usize = 100;
    let log = Log::collect(Level::INFO);
    let scene = Scene::with(Accounting::Average, |builder| {
        builder.max_tracked_keys(LIMIT)
    });
    // A busy key is counted whatever floods the rest.
    let busy = scene.track("busy");
    let mut expected_untracked = 0;
    for second in 0..5 {
        let flood: Vec<_> = names(2_000).map(|name| scene.track(&name)).collect();
        let counted = flood.iter().filter(|guard| guard.is_counted()).count();
        assert_eq!(counted, LIMIT - 1);
        assert!(scene.track("busy").is_counted());
        expected_untracked += 2_000 - (LIMIT as u64 - 1);
        assert_eq!(scene.reporter.untracked_requests(), expected_untracked);
        assert_eq!(scene.reporter.tracked_keys(), LIMIT);
        drop(flood);
        scene.reach(1_000 * second + 1_001).await;
        assert!(scene.reporter.tracked_keys() <= LIMIT);
    }
    assert_eq!(scene.reporter.unmatched_outs(), 0);
    let lines = log.take();
    let [(Level::WARN, line)] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert!(line.contains("max_tracked_keys") && line.contains("limit=100"));

    // Room comes back with the ticks, and the log says so once.
    scene.reach(8_001).await;
    assert_eq!(scene.reporter.tracked_keys(), 1);
    assert!(names(LIMIT - 1).all(|name| scene.track(&name).is_counted()));
    let lines = log.take();
    let [(Level::INFO, line)] = &lines[..] else {
        panic!("{lines:?}");
    };
    assert!(line.contains("untracked=9505"), "{line}");
    // The next episode is logged again.
    assert!(!scene.track("one-too-many").is_counted());
    assert_eq!(log.take().len(), 1);
    drop(busy);
}

#[tokio::test(start_paused = true)]
async fn events_of_keys_beyond_the_limit_are_counted_as_untracked() {
    let scene = Scene::with(Accounting::Snapshot, |builder| builder.max_tracked_keys(1));
    let events = scene.reporter.events();
    for name in ["a", "b", "c"] {
        events.send(ReqEvent::req_in(key(name))).await.unwrap();
    }
    let reporter = scene.reporter.clone();
    let (seen, _) = scene.stop().await;
    assert_eq!(reporter.untracked_requests(), 2);
    assert_eq!(seen, ["0 first a 1/1", "0 tick a 1/1"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_tracked_with_a_limit_of_zero() {
    let log = Log::collect(Level::INFO);
    let scene = Scene::with(Accounting::Snapshot, |builder| builder.max_tracked_keys(0));
    assert!(!scene.track("a").is_counted());
    assert_eq!(scene.reporter.tracked_keys(), 0);
    assert_eq!(scene.reporter.untracked_requests(), 1);
    assert_eq!(log.take().len(), 1);
    let (seen, _) = scene.stop().await;
    assert!(seen.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_backlog_of_a_stalled_sink_has_one_message_per_key() {
    const LIMIT: usize = 50;
    const KEYS: usize = 200;
    let (go_on, told) = oneshot::channel();
    let (sender, mut seen) = mpsc::unbounded_channel();
    let stalled = sink("stalled", |mut mailbox| async move {
        told.await.unwrap();
        while let Some(dispatch) = mailbox.recv().await {
            sender.send(dispatch).unwrap();
        }
        Ok(())
    });
    let scene = Scene::with(Accounting::Average, |builder| {
        builder.max_tracked_keys(LIMIT).sink(stalled)
    });
    let mut counted = 0;
    for second in 0..60 {
        let flood: Vec<_> = (0..80)
            .map(|n| scene.track(&format!("key-{}", (second * 31 + n) % KEYS)))
            .collect();
        counted += flood.iter().filter(|guard| guard.is_counted()).count() as u64;
        drop(flood);
        scene.reach(second as u64 * 1_000 + 1_001).await;
    }
    go_on.send(()).unwrap();
    scene.stop().await;

    let (mut requests, mut dispatches) = (0, Vec::new());
    while let Some(dispatch) = seen.recv().await {
        requests += dispatch.requests();
        dispatches.push(dispatch.batch.messages.len());
    }
    assert_eq!(requests, counted);
    assert!(
        dispatches.len() <= 16 + 2,
        "mailbox, backlog and the last report"
    );
    assert!(dispatches.iter().all(|&messages| messages <= KEYS));
    assert!(dispatches[..16].iter().all(|&messages| messages <= LIMIT));
}
