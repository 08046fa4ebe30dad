//! Good peers, and links that break between good ones.

use std::time::Duration;

use reporter_core::{Accounting, Batch, Stat, StatMessage};
use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerSink};
use reporter_runtime::{ConcurrencyReporter, SystemClock};
use tokio::net::{TcpListener, TcpStream};

use crate::peer::{Behaviour, Peer, eventually};
use crate::rig::{CLOSED, DOWN, Observer, Rig, UP, config};
use crate::wire::{self, Frame, PING, PONG};

#[tokio::test]
async fn batches_arrive_in_order_with_nothing_set_but_what_an_activator_sets() {
    let peer = Peer::start(Behaviour::Good).await;
    let mut rig = Rig::start(config(peer.url()));
    rig.up().await;
    for count in 1..=20 {
        rig.tick(&[("a", 0.5, count)]).await;
        rig.taken().await;
    }
    let (end, log, told) = rig.stop().await;
    assert_eq!(end, Ok(()));
    let counts: Vec<_> = peer.stats().iter().map(|stat| stat.request_count).collect();
    assert!(counts.is_sorted(), "{counts:?}");
    assert_eq!(counts.iter().sum::<f64>(), 210.0);
    for stat in peer.stats() {
        let expected = wire::Stat {
            pod_name: "activator-0".into(),
            average_concurrent_requests: 0.5,
            request_count: stat.request_count,
            ..wire::Stat::default()
        };
        assert_eq!(stat, expected);
    }
    assert_eq!(told.confirmed.len(), peer.frames().len());
    assert!(told.confirmed.is_sorted(), "{told:?}");
    assert_eq!((told.ups, told.closed, told.requeued), (1, 1, 0));
    assert_eq!(log.lines(), [UP, CLOSED]);
}

#[tokio::test]
async fn a_first_request_is_told_without_a_tick() {
    let peer = Peer::start(Behaviour::Good).await;
    let observer = Observer::default();
    let clock = SystemClock::new();
    let sink = AutoscalerSink::try_new("autoscaler", "activator-0", config(peer.url())).unwrap();
    let (reporter, task) = ConcurrencyReporter::builder(Accounting::Average)
        .interval(Duration::from_secs(3_600))
        .clock(clock)
        .sink(Box::new(sink.observer(clock, observer.clone())))
        .spawn();
    let request = reporter.track(&"default/a".parse().unwrap());
    eventually("told", || peer.messages() == ["a 1/1"]).await;
    eventually("timed", || observer.told().first_reports == 1).await;
    drop(request);
    assert_eq!(task.stop().await.sinks, [("autoscaler".into(), Ok(()))]);
}

#[tokio::test]
async fn a_large_batch_goes_in_several_frames() {
    let peer = Peer::start(Behaviour::Good).await;
    let rig = Rig::start(AutoscalerConfig {
        max_frame_messages: 3,
        ..config(peer.url())
    });
    let names: Vec<_> = (0..10).map(|n| format!("n{n}")).collect();
    let messages: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0, 1)).collect();
    rig.tick(&messages).await;
    let (end, ..) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(peer.frames(), [3, 3, 3, 1]);
    let arrived: Vec<_> = names.iter().map(|name| format!("{name} 1/1")).collect();
    assert_eq!(peer.messages(), arrived);
}

#[tokio::test]
async fn unconfirmed_frames_of_a_broken_link_are_sent_again() {
    // The peer never sees the second frame; what the pong would have confirmed comes once more.
    let peer = Peer::start(Behaviour::BreaksBeforePong(2)).await;
    let mut rig = Rig::start(config(peer.url()));
    rig.up().await;
    for (name, count) in [("a", 1), ("b", 2), ("c", 3)] {
        rig.tick(&[(name, 1.0, count)]).await;
        eventually("sent", || rig.observer.told().pending_keys == 0).await;
    }
    let (end, log, told) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(peer.messages(), ["a 1/1", "b 1/2", "c 1/3"]);
    assert!(told.requeued >= 1, "{told:?}");
    assert_eq!((told.ups, told.downs.len()), (2, 1));
    assert_eq!(log.lines(), [UP, DOWN, UP, CLOSED]);
}

#[tokio::test]
async fn during_an_outage_reports_are_merged_and_forgotten_keys_have_average_0() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let rig = Rig::start(config(format!("ws://{address}")));
    for round in 0..1_000 {
        rig.tick(&[("a", 7.0, 1), ("b", f64::from(round), 2), ("c", 1.0, 3)])
            .await;
    }
    let forgotten = vec!["default/a".parse().unwrap()];
    rig.send(Batch::tick(Vec::new(), forgotten)).await;
    rig.taken().await;
    assert_eq!(rig.observer.told().most_pending_keys, 3);
    let listener = TcpListener::bind(address).await.unwrap();
    let peer = Peer::listen(listener, Behaviour::Good);
    let (end, log, _) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(peer.messages(), ["a 0/1000", "b 999/2000", "c 1/3000"]);
    assert_eq!(log.lines(), [DOWN, UP, CLOSED]);
}

#[tokio::test]
async fn a_close_with_1012_is_answered_by_a_new_connection_at_once() {
    let peer = Peer::start(Behaviour::Restarts(1)).await;
    let minute = Duration::from_secs(60);
    let mut rig = Rig::start(AutoscalerConfig {
        // Any wait at all would outlast the test.
        backoff: minute,
        backoff_max: minute,
        ..config(peer.url())
    });
    rig.up().await;
    rig.tick(&[("a", 1.0, 1)]).await;
    eventually("up again", || rig.observer.told().ups == 2).await;
    let (end, log, told) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(told.downs, ["the peer closed the link: code 1012"]);
    assert_eq!(log.lines(), [UP, DOWN, UP, CLOSED]);
}

#[tokio::test]
async fn no_more_frames_than_the_window_wait_for_confirmation() {
    let (listener, url) = raw_listener().await;
    let mut rig = Rig::start(AutoscalerConfig {
        max_unconfirmed_frames: 2,
        pong_timeout: Duration::from_secs(60),
        ..config(url)
    });
    let mut stream = accept(&listener).await;
    answer_ping(&mut stream).await;
    rig.up().await;
    let mut sequences = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        rig.tick(&[(name, 1.0, 1)]).await;
        rig.taken().await;
        if sequences.len() < 2 {
            assert!(matches!(
                wire::read(&mut stream).await,
                Some(Frame::Binary(_))
            ));
            let Some(Frame::Ping(sequence)) = wire::read(&mut stream).await else {
                panic!("behind each frame goes a ping");
            };
            sequences.push(sequence);
        }
    }
    assert_eq!(sequences, [1u64.to_be_bytes(), 2u64.to_be_bytes()]);
    assert_eq!(rig.observer.told().pending_keys, 3);
    wire::write(&mut stream, PONG, &sequences[1]).await;
    // What waited behind the window comes in one piece.
    assert!(matches!(
        wire::read(&mut stream).await,
        Some(Frame::Binary(_))
    ));
    let third = 3u64.to_be_bytes().to_vec();
    assert_eq!(wire::read(&mut stream).await, Some(Frame::Ping(third)));
    let told = rig.observer.told();
    assert_eq!((told.confirmed, told.pending_keys), (vec![1, 2], 0));
}

#[tokio::test]
async fn a_peers_own_pings_are_answered_while_there_is_nothing_to_send() {
    let (listener, url) = raw_listener().await;
    let mut rig = Rig::start(AutoscalerConfig {
        ping_interval: Duration::from_secs(300),
        ..config(url)
    });
    let mut stream = accept(&listener).await;
    answer_ping(&mut stream).await;
    rig.up().await;
    for payload in ["one", "two", "three"] {
        wire::write(&mut stream, PING, payload.as_bytes()).await;
        let pong = Frame::Pong(payload.into());
        assert_eq!(wire::read(&mut stream).await, Some(pong));
    }
}

#[tokio::test]
async fn an_idle_link_is_pinged() {
    let (listener, url) = raw_listener().await;
    let _rig = Rig::start(config(url));
    let mut stream = accept(&listener).await;
    for _ in 0..3 {
        answer_ping(&mut stream).await;
    }
}

#[tokio::test]
async fn a_first_report_is_timed_once_when_it_is_written() {
    let peer = Peer::start(Behaviour::BreaksBeforePong(1)).await;
    let rig = Rig::start(config(peer.url()));
    let stat = Stat {
        average_concurrent_requests: 1.0,
        request_count: 1,
    };
    for name in ["a", "b"] {
        let key = format!("default/{name}").parse().unwrap();
        rig.send(Batch::first_request(StatMessage { key, stat }))
            .await;
        rig.tick(&[(name, 1.0, 0)]).await;
    }
    let (end, _, told) = rig.stop().await;
    assert_eq!(end, Ok(()));
    assert_eq!(told.first_reports, 2, "{told:?}");
}

async fn raw_listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().await.unwrap();
    let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    socket.into_inner()
}

async fn answer_ping(stream: &mut TcpStream) {
    let Some(Frame::Ping(payload)) = wire::read(stream).await else {
        panic!("a new or idle link is pinged");
    };
    wire::write(stream, PONG, &payload).await;
}
