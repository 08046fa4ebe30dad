//! The shutdown: accepted dispatches are confirmed, or counted as lost.

use std::time::Duration;

use reporter_core::Accounting;
use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};
use reporter_runtime::{ConcurrencyReporter, Undelivered};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::peer::{Behaviour, Peer};
use crate::rig::{CLOSED, DOWN, Log, Rig, UP, config};

const LOST: &str =
    "ERROR gave up: the autoscaler did not confirm the counts of these requests in time";

#[tokio::test]
async fn the_last_report_is_confirmed_and_the_link_closed_with_1000() {
    let peer = Peer::start(Behaviour::Good).await;
    let mut rig = Rig::start(config(peer.url()));
    rig.up().await;
    rig.tick(&[("a", 1.0, 4)]).await;
    let (end, log, told) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(peer.messages(), ["a 1/4"]);
    assert_eq!(peer.closes(), [1000]);
    // An orderly end is no error.
    assert_eq!(
        (told.closed, told.downs.len(), told.failures.len()),
        (1, 0, 0)
    );
    assert_eq!(log.lines(), [UP, CLOSED]);
}

#[tokio::test]
async fn a_link_that_is_made_only_during_shutdown_still_delivers() {
    let peer = Peer::start(Behaviour::Good).await;
    let rig = Rig::start(config(peer.url()));
    rig.tick(&[("a", 1.0, 4)]).await;
    let (end, ..) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(peer.messages(), ["a 1/4"]);
}

#[tokio::test]
async fn a_sink_with_nothing_to_deliver_ends_at_once_without_a_peer() {
    let (end, log, _) = Rig::start(config(nobody().await)).stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(log.lines(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn undelivered_requests_are_counted_before_the_flush_timeout() {
    let rig = Rig::start(AutoscalerConfig {
        flush_timeout: Duration::from_secs(5),
        ..config(nobody().await)
    });
    rig.tick(&[("a", 1.0, 4), ("b", 1.0, 3)]).await;
    rig.tick(&[("a", 1.0, 2)]).await;
    let start = Instant::now();
    let (end, log, _) = rig.stop().await;
    assert_eq!(end, Err(Undelivered { requests: 9 }));
    assert_eq!(start.elapsed().as_millis() / 100, 45);
    assert_eq!(log.lines(), [DOWN, LOST]);
}

#[tokio::test]
async fn a_silent_peer_cannot_hold_up_the_end() {
    let peer = Peer::start(Behaviour::SilentAfterHandshake).await;
    let rig = Rig::start(AutoscalerConfig {
        pong_timeout: Duration::from_secs(600),
        flush_timeout: Duration::from_millis(200),
        ..config(peer.url())
    });
    rig.tick(&[("a", 1.0, 4)]).await;
    let (end, log, _) = rig.stop().await;
    assert_eq!(end, Err(Undelivered { requests: 4 }));
    assert_eq!(log.lines(), [LOST]);
}

#[tokio::test]
async fn the_reporter_tells_which_sink_lost_what() {
    let log = Log::capture();
    let flush_timeout = Duration::from_millis(500);
    let config = AutoscalerConfig {
        flush_timeout,
        ..config(nobody().await)
    };
    let sink = AutoscalerSink::try_new("autoscaler", "activator-0", config).unwrap();
    let (reporter, task) = ConcurrencyReporter::builder(Accounting::Average)
        .flush_timeout(flush_timeout)
        .sink(Box::new(sink))
        .spawn();
    for _ in 0..7 {
        drop(reporter.track(&"default/a".parse().unwrap()));
    }
    let lost = Err(Undelivered { requests: 7 });
    assert_eq!(task.stop().await.sinks, [("autoscaler".into(), lost)]);
    assert_eq!(log.lines(), [DOWN, LOST]);
}

/// The address of a peer that is not there.
async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("ws://{}", listener.local_addr().unwrap())
}
