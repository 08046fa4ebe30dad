//! The end of service for clients of HTTP/2: they are told to send no more (GOAWAY), and lose nothing.

use activator_bin::run::{Activator, Options};

use crate::harness::config;
use crate::http2_peers::{Http2Backend, Http2Client, patiently, read, request};
use crate::https::files::Files;

/// A drain meets two clients who came by `connect`, one of them in the middle of an answer.
async fn check(connect: impl AsyncFn(&Activator, &Files) -> Http2Client) {
    let mut backend = Http2Backend::bind().await;
    let files = Files::new();
    let config = files.listen(config(&[backend.address]));
    let activator = Activator::start(config, Options::default()).unwrap();
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
async fn a_drain_says_goodbye_and_lets_what_is_under_way_end() {
    check(async |activator, _| Http2Client::connect(activator).await).await;
}

#[tokio::test]
async fn a_drain_says_goodbye_over_tls_as_well() {
    check(async |activator, files| files.connect_http2(activator).await).await;
}
