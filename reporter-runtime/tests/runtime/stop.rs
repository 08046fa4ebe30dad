//! How a reporter ends: a last report, a bounded flush, and undelivered counts.

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use reporter_core::{Accounting, MetricsBackend, Report, ReqEvent};
use reporter_runtime::{Clock, ConcurrencyReporter, ReporterStopped, Undelivered};
use tokio::sync::oneshot;
use tracing::Level;

use crate::log::Log;
use crate::scene::{Scene, key};
use crate::sink::{healthy, sink};

#[tokio::test(start_paused = true)]
async fn a_stop_cuts_a_last_report() {
    let log = Log::collect(Level::WARN);
    let mut scene = Scene::start(Accounting::Snapshot);
    let _guard = scene.track("a");
    scene.reach(400).await;
    assert_eq!(scene.seen_so_far(), ["0 first a 1/1"]);
    let _second = scene.track("a");
    let _fresh = scene.track("b");
    let (seen, stopped) = scene.stop().await;
    assert_eq!(seen, ["400 first b 1/1", "400 tick a 2/2 b 1/1"]);
    assert_eq!(stopped.sinks, [("healthy".to_owned(), Ok(()))]);
    assert_eq!(log.take(), []);
}

#[tokio::test(start_paused = true)]
async fn events_that_were_sent_before_the_stop_are_in_the_last_report() {
    let scene = Scene::start(Accounting::Snapshot);
    let events = scene.reporter.events();
    for _ in 0..700 {
        events.send(ReqEvent::req_in(key("a"))).await.unwrap();
    }
    let (seen, _) = scene.stop().await;
    assert_eq!(seen, ["0 first a 1/1", "0 tick a 700/700"]);
    let too_late = events.send(ReqEvent::req_in(key("a"))).await;
    assert_eq!(too_late, Err(ReporterStopped));
}

#[tokio::test(start_paused = true)]
async fn guards_keep_counting_after_the_stop_without_reports() {
    let scene = Scene::start(Accounting::Snapshot);
    let reporter = scene.reporter.clone();
    let guard = scene.track("a");
    let (seen, _) = scene.stop().await;
    assert_eq!(seen, ["0 first a 1/1", "0 tick a 1/1"]);
    let late = reporter.track(&key("b"));
    assert!(late.is_counted());
    drop(guard);
    assert_eq!(reporter.in_flight(&key("a")), Some(0));
    assert_eq!(reporter.in_flight(&key("b")), Some(1));
    assert_eq!(reporter.unmatched_outs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_may_flush_until_the_flush_timeout() {
    let slow = sink("slow", |mut mailbox| async move {
        while mailbox.recv().await.is_some() {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        Ok(())
    });
    let scene = Scene::with(Accounting::Snapshot, |builder| builder.sink(slow));
    let _guard = scene.track("a");
    let (seen, stopped) = scene.stop().await;
    assert_eq!(seen.len(), 2);
    assert_eq!(stopped.sinks[0], ("slow".to_owned(), Ok(())));
}

/// A request (1), two more by the first tick (3), one more by the stop at 1,100 ms (1), with a
/// flush timeout of 2 s: the sink takes `taken` of these dispatches, and never returns.
async fn check_stuck(taken: usize, lost: u64) {
    let log = Log::collect(Level::ERROR);
    let stuck = sink("stuck", move |mut mailbox| async move {
        for _ in 0..taken {
            mailbox.recv().await;
        }
        pending().await
    });
    let mut scene = Scene::with(Accounting::Snapshot, |builder| {
        builder.flush_timeout(Duration::from_secs(2)).sink(stuck)
    });
    let mut guards = vec![scene.track("a")];
    scene.reach(900).await;
    guards.extend([scene.track("a"), scene.track("a")]);
    scene.reach(1_100).await;
    guards.push(scene.track("a"));
    assert_eq!(scene.seen_so_far(), ["0 first a 1/1", "1000 tick a 3/3"]);
    let clock = scene.clock.clone();
    let (seen, stopped) = scene.stop().await;
    drop(guards);
    assert_eq!(clock.now().as_nanos(), 3_100_000_000);
    assert_eq!(seen, ["1100 tick a 4/1"]);
    let expected = [
        ("stuck".to_owned(), Err(Undelivered { requests: lost })),
        ("healthy".to_owned(), Ok(())),
    ];
    assert_eq!(stopped.sinks, expected);
    let line = format!(
        "the counts of these requests were not delivered sink=\"stuck\" requests={lost} \
         reason=\"it has not flushed in time\""
    );
    assert_eq!(log.take(), [(Level::ERROR, line)]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_never_flushes_is_dropped_and_its_rest_is_lost() {
    // Whether the last one in its hands is done cannot be known.
    for (taken, lost) in [(0, 1 + 3 + 1), (1, 1 + 3 + 1), (2, 3 + 1)] {
        check_stuck(taken, lost).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_backlog_of_a_full_mailbox_counts_as_lost() {
    let stuck = sink("stuck", |mailbox| async move {
        let _mailbox = mailbox;
        pending().await
    });
    let scene = Scene::with(Accounting::Average, |builder| builder.sink(stuck));
    let guards: Vec<_> = (0..50).map(|n| scene.track(&format!("key-{n}"))).collect();
    scene.reach(1).await;
    let again = [scene.track("key-0"), scene.track("key-0")];
    let (_, stopped) = scene.stop().await;
    drop((guards, again));
    assert_eq!(stopped.sinks[0].1, Err(Undelivered { requests: 52 }));
}

#[tokio::test(start_paused = true)]
async fn an_unused_permit_cannot_delay_the_stop() {
    let scene = Scene::start(Accounting::Snapshot);
    let events = scene.reporter.events();
    for _ in 0..1_024 {
        events.send(ReqEvent::req_in(key("a"))).await.unwrap();
    }
    let mut one_more = pin!(events.send(ReqEvent::req_in(key("a"))));
    poll_fn(|cx| {
        assert!(
            one_more.as_mut().poll(cx).is_pending(),
            "the channel has room"
        );
        Poll::Ready(())
    })
    .await;
    scene.reach(1).await;
    let (seen, stopped) = scene.stop().await;
    // Half of the 5 s that the sinks have for flushing.
    assert_eq!(seen, ["0 first a 1/1", "2501 tick a 1024/1024"]);
    assert_eq!(stopped.sinks, [("healthy".to_owned(), Ok(()))]);
}

#[tokio::test(start_paused = true)]
async fn the_longest_durations_are_accepted() {
    let scene = Scene::with(Accounting::Snapshot, |builder| {
        builder.interval(Duration::MAX).flush_timeout(Duration::MAX)
    });
    let _guard = scene.track("a");
    let (seen, stopped) = scene.stop().await;
    assert_eq!(seen, ["0 first a 1/1", "0 tick a 1/1"]);
    assert_eq!(stopped.sinks, [("healthy".to_owned(), Ok(()))]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_nobody_waits_for_goes_on() {
    let (flushed, told) = oneshot::channel();
    let flushes = sink("flushes", |mut mailbox| async move {
        let mut requests = 0;
        while let Some(dispatch) = mailbox.recv().await {
            requests += dispatch.requests();
        }
        flushed.send(requests).unwrap();
        Ok(())
    });
    let scene = Scene::with(Accounting::Average, |builder| builder.sink(flushes));
    let _guards = [scene.track("a"), scene.track("a")];
    let Scene { task, .. } = scene;
    {
        let mut stop = Box::pin(task.stop());
        poll_fn(|cx| {
            assert!(stop.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    }
    assert_eq!(told.await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_task_ends_the_sinks_without_a_last_report() {
    let scene = Scene::start(Accounting::Snapshot);
    let _guard = scene.track("a");
    scene.reach(1).await;
    let Scene { task, mut seen, .. } = scene;
    drop(task);
    let dispatch = seen.recv().await.unwrap();
    assert_eq!(dispatch.requests(), 1);
    assert!(seen.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "a bug in a metrics backend")]
async fn a_panic_in_the_metrics_backend_comes_out_of_the_stop() {
    struct Panics;
    impl MetricsBackend for Panics {
        fn on_tick(&mut self, _: &Report) {
            panic!("a bug in a metrics backend");
        }
    }
    let scene = Scene::with(Accounting::Snapshot, |builder| builder.metrics(Panics));
    scene.stop().await;
}

#[test]
fn a_stop_after_the_end_of_its_runtime_returns_no_sinks() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let entered = runtime.enter();
    let (sink, _seen) = healthy();
    let builder = ConcurrencyReporter::builder(Accounting::Snapshot);
    let (_, task) = builder.sink(sink).spawn();
    drop(entered);
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(other.block_on(task.stop()).sinks, []);
}
