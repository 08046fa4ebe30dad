//! Peers that misbehave: counting goes on, the log has a line per change of state, attempts are rare,
//! and once the peer behaves nothing is missing.

use std::collections::BTreeMap;
use std::time::Duration;

use reporter_core::Accounting;
use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};
use reporter_runtime::{ConcurrencyReporter, SystemClock};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::peer::{Behaviour, Peer, eventually};
use crate::rig::{CLOSED, DOWN, Log, Observer, Rig, UP, config};

/// Counts requests while the peer is bad, and after it has turned good.
async fn check(behaviour: Behaviour, reason: &str) {
    let peer = Peer::start(behaviour).await;
    let log = Log::capture();
    let observer = Observer::default();
    let config = config(peer.url());
    let shortest_wait = config.backoff_max;
    let sink = AutoscalerSink::try_new("autoscaler", "activator-0", config).unwrap();
    let start = Instant::now();
    let (reporter, task) = ConcurrencyReporter::builder(Accounting::Average)
        .interval(Duration::from_millis(50))
        .sink(Box::new(
            sink.observer(SystemClock::new(), observer.clone()),
        ))
        .spawn();
    let key = |name: &str| format!("default/{name}").parse().unwrap();
    let (a, b) = (key("a"), key("b"));
    for _ in 0..100 {
        drop(reporter.track(&a));
    }
    let held = [reporter.track(&b), reporter.track(&b)];
    eventually("failed twice", || observer.told().failures.len() >= 2).await;
    let bad_for = start.elapsed();
    for _ in 0..100 {
        drop(reporter.track(&a));
    }
    assert_eq!(reporter.in_flight(&b), Some(2));
    assert_eq!(log.lines(), [DOWN], "{behaviour:?}");
    let told = observer.told();
    for failure in &told.failures {
        assert!(failure.contains(reason), "{behaviour:?}: {failure}");
    }
    // The waits grow from 20 ms to 100 ms: a dozen come before they are all as long as that.
    let tries = 12 + (bad_for.as_millis() / shortest_wait.as_millis()) as usize;
    assert!(
        peer.connections() <= tries,
        "{} in {bad_for:?}",
        peer.connections()
    );
    assert!(told.most_pending_keys <= 2, "{told:?}");
    assert_eq!((told.ups, told.downs.len()), (0, 0));

    peer.turn(Behaviour::Good);
    eventually("up", || observer.told().ups == 1).await;
    drop(held);
    let stopped = task.stop().await;
    assert_eq!(stopped.sinks, [("autoscaler".into(), Ok(()))]);
    let all = BTreeMap::from([("a".to_owned(), 200), ("b".to_owned(), 2)]);
    assert_eq!(peer.sums(), all, "{behaviour:?}");
    assert_eq!(log.lines(), [DOWN, UP, CLOSED], "{behaviour:?}");
}

macro_rules! bad_peers {
    ($($name:ident: $behaviour:ident, $reason:expr;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                check(Behaviour::$behaviour, $reason).await;
            }
        )*
    };
}

bad_peers! {
    a_peer_that_speaks_http_and_no_websocket: HttpOnly, "responded with HTTP 404";
    a_peer_that_sends_headers_without_end: EndlessHeaders, "broke the protocol";
    a_peer_that_sends_garbage: Garbage, "broke the protocol";
    a_peer_that_sends_garbage_after_the_handshake: GarbageAfterHandshake, "broke the protocol";
    a_peer_that_sends_a_huge_frame: HugeFrame, "too long: 4611686018427387904 > 4096";
    a_peer_that_sends_a_message_without_end: EndlessMessage, "too long: 4097 > 4096";
    a_peer_that_says_nothing: Silent, "no WebSocket handshake within 1s";
    a_peer_that_reads_and_answers_nothing: SilentAfterHandshake, "no pong within 1s";
    a_peer_that_answers_pings_with_other_numbers: WrongPongs, "no pong within 1s";
    a_peer_that_closes_at_once: ClosesAtOnce, "connection";
    a_peer_that_closes_after_the_handshake: ClosesAfterHandshake, "connection";
    a_peer_that_restarts_for_ever: AlwaysRestarts, "the peer closed the link: code 1012";
}

#[tokio::test(start_paused = true)]
async fn a_refusing_peer_is_tried_twice_a_second_without_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    drop(listener);
    // The default times; a refusal on loopback takes none of the virtual ones.
    let rig = Rig::start(AutoscalerConfig::new(url));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    let told = rig.observer.told();
    assert!(
        (4_800..=7_220).contains(&told.failures.len()),
        "{}",
        told.failures.len()
    );
    assert!(
        told.failures.iter().all(|why| why.contains("refused")),
        "{:?}",
        told.failures[0]
    );
    assert_eq!(rig.log.lines(), [DOWN]);
}

#[tokio::test]
async fn an_unknown_host_is_logged_once() {
    let rig = Rig::start(config("ws://no-such-host.invalid:8080"));
    eventually("failed twice", || rig.observer.told().failures.len() >= 2).await;
    rig.tick(&[("a", 1.0, 5)]).await;
    rig.taken().await;
    // A system without a name server to ask answers after the time for the handshake.
    let known = [
        "cannot look up no-such-host.invalid",
        "no WebSocket handshake within 1s",
    ];
    for failure in rig.observer.told().failures {
        assert!(
            known.iter().any(|reason| failure.starts_with(reason)),
            "{failure}"
        );
    }
    assert_eq!(rig.log.lines(), [DOWN]);
}
