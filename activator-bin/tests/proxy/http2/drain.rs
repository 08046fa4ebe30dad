//! The end of service for clients of HTTP/2: they are told to send no more (GOAWAY), and lose nothing.

use activator_bin::testing::Activator;

use crate::support::activator::{PATIENCE, config, start_with};
use crate::support::http2::{Http2Backend, Http2Client, patiently, read, request};
use crate::support::https::Files;

/// A drain meets two clients who came by `connect`, one of them in the middle of an answer.
async fn check(connect: impl AsyncFn(&Activator, &Files) -> Http2Client) {
    let mut backend = Http2Backend::bind().await;
    let files = Files::new();
    let config = files.listen(config(&[backend.address]));
    let activator = start_with(config);
    let mut idle = connect(&activator, &files).await;
    let (response, _) = idle.send(request("GET", "/"), true).await;
    backend.request().await.finish("ok");
    patiently(response).await.unwrap();
    let mut client = connect(&activator, &files).await;
    let (response, _) = client.send(request("GET", "/"), true).await;
    let mut exchange = backend.request().await;
    let mut sender = exchange.answer(200);
    sender.send_data("abc".into(), false).unwrap();
    let mut response = patiently(response).await.unwrap();
    let some = patiently(response.body_mut().data()).await;
    assert_eq!(some.unwrap().unwrap(), "abc");

    let stopping = tokio::spawn(activator.stop());
    patiently(&mut idle.driver).await.unwrap().unwrap();
    assert!(!stopping.is_finished());
    sender.send_data("def".into(), true).unwrap();
    let (rest, end) = read(response.body_mut()).await;
    assert_eq!((&*rest, end.unwrap()), ("def", None));
    drop(response);
    patiently(&mut client.driver).await.unwrap().unwrap();
    patiently(stopping).await.unwrap();
}

#[tokio::test]
async fn drain_sends_goaway_and_finishes_streams() {
    check(async |activator, _| Http2Client::connect(activator).await).await;
}

#[tokio::test]
async fn drain_sends_goaway_over_tls() {
    check(async |activator, files| files.connect_http2(activator).await).await;
}

/// Whoever comes in the meantime is served, and told likewise.
#[tokio::test]
async fn goaway_is_sent_when_the_drain_delay_begins() {
    let mut backend = Http2Backend::bind().await;
    let mut config = config(&[backend.address]);
    // No part of it passes before this is over.
    config.drain_delay = 10 * PATIENCE;
    let activator = start_with(config);
    let http = activator.http_addr();
    let mut idle = Http2Client::connect(&activator).await;
    let mut busy = Http2Client::connect(&activator).await;
    let (response, _) = busy.send(request("GET", "/"), true).await;
    let mut exchange = backend.request().await;

    let stopping = tokio::spawn(activator.stop());
    patiently(&mut idle.driver).await.unwrap().unwrap();
    let socket = tokio::net::TcpStream::connect(http).await.unwrap();
    let mut late = Http2Client::over(socket).await;
    let (last, _) = late.send(request("GET", "/"), true).await;
    backend.request().await.finish("late");
    assert_eq!(patiently(last).await.unwrap().status(), 200);
    exchange.finish("ok");
    assert_eq!(patiently(response).await.unwrap().status(), 200);
    for client in [&mut busy, &mut late] {
        patiently(&mut client.driver).await.unwrap().unwrap();
    }
    assert!(!stopping.is_finished());
    stopping.abort();
}
