//! The times and order of dispatches.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reporter_core::{Accounting, MetricsBackend, Report, ReqEvent};

use crate::scene::{Scene, key};

#[tokio::test(start_paused = true)]
async fn a_first_request_is_dispatched_at_once() {
    let mut scene = Scene::start(Accounting::Snapshot);
    scene.reach(300).await;
    let _guard = scene.track("a");
    assert_eq!(scene.next().await, "300 first a 1/1");
    assert_eq!(scene.elapsed(), 300);
}

#[tokio::test(start_paused = true)]
async fn a_tick_ends_each_interval() {
    let mut scene = Scene::start(Accounting::Snapshot);
    let _guard = scene.track("a");
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push((scene.next().await, scene.elapsed()));
    }
    let expected = [
        ("0 first a 1/1", 0),
        ("1000 tick a 1/1", 1_000),
        ("2000 tick a 1/0", 2_000),
        ("3000 tick a 1/0", 3_000),
    ];
    assert_eq!(seen, expected.map(|(text, at)| (text.to_owned(), at)));
}

#[tokio::test(start_paused = true)]
async fn a_request_after_a_tick_is_a_first_request_again() {
    let mut scene = Scene::start(Accounting::Snapshot);
    drop(scene.track("a"));
    drop(scene.track("a"));
    scene.reach(1_500).await;
    drop(scene.track("a"));
    scene.reach(1_501).await;
    let expected = ["0 first a 1/1", "1000 tick forgot a", "1500 first a 1/1"];
    assert_eq!(scene.seen_so_far(), expected);
}

#[tokio::test(start_paused = true)]
async fn averages_are_weighted_by_time() {
    let mut scene = Scene::start(Accounting::Average);
    let guard = scene.track("a");
    let second = scene.track("a");
    scene.reach(500).await;
    drop(second);
    scene.reach(1_001).await;
    drop(guard);
    scene.reach(3_001).await;
    let expected = [
        "0 first a 1/1",
        "1000 tick a 0.5/1",
        "2000 tick a 0.001/0",
        "3000 tick a 0/0 forgot a",
    ];
    assert_eq!(scene.seen_so_far(), expected);
}

#[tokio::test(start_paused = true)]
async fn late_ticks_do_not_pile_up() {
    let mut scene = Scene::start(Accounting::Snapshot);
    let _guard = scene.track("a");
    assert_eq!(scene.next().await, "0 first a 1/1");
    // Nothing gets a turn on the way, as on a machine that was asleep.
    tokio::time::advance(Duration::from_millis(3_500)).await;
    scene.reach(5_001).await;
    let expected = ["3500 tick a 1/1", "4000 tick a 1/0", "5000 tick a 1/0"];
    assert_eq!(scene.seen_so_far(), expected);
}

#[tokio::test(start_paused = true)]
async fn first_requests_go_before_a_tick_that_is_due_at_the_same_time() {
    let mut scene = Scene::start(Accounting::Snapshot);
    tokio::time::advance(Duration::from_millis(999)).await;
    let guards = ["a", "b", "c"].map(|name| scene.track(name));
    tokio::time::advance(Duration::from_millis(1)).await;
    scene.reach(1_001).await;
    drop(guards);
    let mut seen = scene.seen_so_far();
    assert_eq!(seen.pop().unwrap(), "1000 tick a 1/1 b 1/1 c 1/1");
    assert_eq!(
        seen,
        ["999 first a 1/1", "999 first b 1/1", "999 first c 1/1"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_jumps_back_loses_no_request() {
    let mut scene = Scene::start(Accounting::Average);
    scene.clock.jump(3_600_000_000_000);
    let guard = scene.track("a");
    scene.clock.jump(-3_600_000_000_000);
    let second = scene.track("a");
    scene.reach(1_001).await;
    drop((guard, second));
    scene.clock.jump(7_200_000_000_000);
    scene.reach(3_001).await;
    let expected = [
        "3600000 first a 1/1",
        "1000 tick a 0/1",
        "7202000 tick a 0/0 forgot a",
    ];
    assert_eq!(scene.seen_so_far(), expected);
    assert_eq!(scene.reporter.tracked_keys(), 0);
}

#[tokio::test(start_paused = true)]
async fn events_from_the_channel_count_like_guards() {
    let mut scene = Scene::start(Accounting::Snapshot);
    let events = scene.reporter.events();
    for event in [
        ReqEvent::req_in(key("a")),
        ReqEvent::req_in(key("a")),
        ReqEvent::req_in(key("b")),
        ReqEvent::req_out(key("b")),
        ReqEvent::req_out(key("b")),
        ReqEvent::req_out(key("never-seen")),
    ] {
        events.send(event).await.unwrap();
    }
    let _guard = scene.track("a");
    scene.reach(1_001).await;
    let mut seen = scene.seen_so_far();
    assert_eq!(seen.pop().unwrap(), "1000 tick a 3/3 forgot b");
    assert_eq!(seen, ["0 first a 1/1", "0 first b 1/1"]);
    assert_eq!(scene.reporter.unmatched_outs(), 2);
    assert_eq!(scene.reporter.in_flight(&key("a")), Some(3));
}

#[tokio::test(start_paused = true)]
async fn every_tick_hands_all_gauges_to_the_metrics_backend() {
    #[derive(Clone, Default)]
    struct Seen(Arc<Mutex<Vec<String>>>);
    impl MetricsBackend for Seen {
        fn on_tick(&mut self, report: &Report) {
            let gauges = report
                .gauges()
                .map(|gauge| (gauge.key.name(), gauge.concurrency));
            let mut gauges: Vec<_> = gauges.collect();
            gauges.sort_by_key(|gauge| gauge.0);
            self.0.lock().unwrap().push(format!("{gauges:?}"));
        }
    }
    let metrics = Seen::default();
    let scene = Scene::with(Accounting::Snapshot, |builder| {
        builder.metrics(metrics.clone())
    });
    let guards = [scene.track("a"), scene.track("a"), scene.track("b")];
    scene.reach(1_001).await;
    drop(guards);
    scene.stop().await;
    let seen = metrics.0.lock().unwrap().clone();
    let expected = [r#"[("a", 2.0), ("b", 1.0)]"#, r#"[("a", 0.0), ("b", 0.0)]"#];
    assert_eq!(seen, expected);
}
