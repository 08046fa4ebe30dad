//! Peers that stop reading: writes have a deadline, and reads do not wait for writes.

use std::time::Duration;

use reporter_runtime::sink::autoscaler::AutoscalerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::peer::eventually;
use crate::rig::{DOWN, Rig, UP};
use crate::wire::{self, CLOSE, Frame, PING, PONG};

/// A peer that has answered one ping and reads nothing from then on, and a sink that has more to
/// say to it than sockets hold.
async fn stalled(config: impl FnOnce(AutoscalerConfig) -> AutoscalerConfig) -> (Rig, TcpStream) {
    let (listener, url) = small_listener();
    let mut rig = Rig::start(config(AutoscalerConfig {
        max_unconfirmed_frames: 1_024,
        pong_timeout: Duration::from_secs(60),
        ..crate::rig::config(url)
    }));
    let (stream, _) = listener.accept().await.unwrap();
    let socket = tokio_tungstenite::accept_async(stream).await.unwrap();
    let mut stream = socket.into_inner();
    let Some(Frame::Ping(payload)) = wire::read(&mut stream).await else {
        panic!("a new link is pinged");
    };
    wire::write(&mut stream, PONG, &payload).await;
    rig.up().await;
    // Each frame has 300 kB; a sending socket holds a few MB.
    let names: Vec<_> = (0..1_000)
        .map(|n| format!("{n:0>60}.{:0>60}.{:0>60}.{:0>60}", 0, 0, 0))
        .collect();
    let messages: Vec<_> = names.iter().map(|name| (name.as_str(), 1.0, 1)).collect();
    for _ in 0..40 {
        rig.tick(&messages).await;
    }
    (rig, stream)
}

fn small_listener() -> (TcpListener, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(16).unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    (listener, url)
}

#[tokio::test]
async fn a_peer_that_stops_reading_is_given_up_without_delay_to_the_mailbox() {
    let (rig, stream) = stalled(|config| config).await;
    eventually("given up", || !rig.observer.told().downs.is_empty()).await;
    let told = rig.observer.told();
    assert_eq!(told.downs, ["the peer did not read a frame within 1s"]);
    assert!(told.requeued > 1, "{told:?}");
    // Nothing was confirmed, so everything waits again, once per key.
    assert_eq!(told.pending_keys, 1_000);
    assert_eq!(rig.log.lines(), [UP, DOWN]);
    drop(stream);
}

#[tokio::test]
async fn the_close_of_a_stalled_peer_is_noticed_at_once() {
    let (rig, mut stream) = stalled(|config| AutoscalerConfig {
        write_timeout: Duration::from_secs(600),
        ..config
    })
    .await;
    wire::write(&mut stream, CLOSE, &1012u16.to_be_bytes()).await;
    eventually("heard", || !rig.observer.told().downs.is_empty()).await;
    let told = rig.observer.told();
    assert_eq!(told.downs, ["the peer closed the link: code 1012"]);
}

#[tokio::test]
async fn a_peer_that_only_pings_is_given_up() {
    let (rig, mut stream) = stalled(|config| config).await;
    let flood =
        tokio::spawn(async move { while wire::write(&mut stream, PING, &[7; 125]).await {} });
    rig.tick(&[("a", 1.0, 1)]).await;
    rig.taken().await;
    eventually("given up", || !rig.observer.told().downs.is_empty()).await;
    let told = rig.observer.told();
    assert_eq!(told.downs, ["the peer did not read a frame within 1s"]);
    flood.await.unwrap();
}
