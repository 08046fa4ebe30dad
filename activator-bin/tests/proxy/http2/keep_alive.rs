//! Peers that fall silent while they owe something.

use std::time::Duration;

use activator_bin::testing::{Activator, Config, Limits};
use tokio::net::TcpStream;

use crate::support::activator::{Ask, config, start_with};
use crate::support::http2::{Http2Backend, Http2Client, patiently, request};

fn with_limits(backend: &Http2Backend, limits: Limits) -> Activator {
    start_with(Config {
        limits,
        ..config(&[backend.address])
    })
}

#[tokio::test]
async fn silent_backend_is_noticed() {
    let mut backend = Http2Backend::bind().await;
    let limits = Limits {
        backend_ping_interval: Duration::from_millis(100),
        http2_ping_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let activator = with_limits(&backend, limits);
    let client = Http2Client::connect(&activator).await;
    let (response, _) = client.send(request("POST", "/"), true).await;
    let _exchange = backend.request().await;
    backend.freeze.notify_one();
    assert_eq!(patiently(response).await.unwrap().status(), 502);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn silent_client_is_noticed() {
    let mut backend = Http2Backend::bind().await;
    let limits = Limits {
        http2_ping_interval: Duration::from_millis(100),
        http2_ping_timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    let activator = with_limits(&backend, limits);
    let socket = TcpStream::connect(activator.http_addr()).await.unwrap();
    let (mut requests, mut connection) = h2::client::handshake::<_>(socket).await.unwrap();
    let (_response, _) = requests.send_request(request("GET", "/"), true).unwrap();
    let _exchange = tokio::select! {
        exchange = backend.request() => exchange,
        end = &mut connection => panic!("{end:?}"),
    };
    // From here on nobody polls the connection, which stays open.
    activator.until_in_flight(0).await;
}
