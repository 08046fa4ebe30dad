//! Backends that close a connection on requests without a word.

use crate::support::activator::start;
use crate::support::frame::{DATA, HEADERS};
use crate::support::http2::{Http2Client, patiently, request};
use crate::support::http2_frames::{Raw, RawBackend};

/// A connection on which one request got a response, and which is then closed on one with this method.
async fn close_on(method: &str, backend: &RawBackend, client: &Http2Client) -> Answer {
    let (first, _) = client.send(request("GET", "/1"), true).await;
    let mut connection = backend.accept(100).await;
    let stream = connection.next(HEADERS).await.stream;
    connection.respond(stream).await;
    assert_eq!(patiently(first).await.unwrap().status(), 200);
    let (second, mut upload) = client.send(request(method, "/2"), false).await;
    upload.send_data("body".into(), true).unwrap();
    assert_eq!(connection.next(DATA).await.payload, b"body");
    second
}

type Answer = h2::client::ResponseFuture;

#[tokio::test]
async fn idempotent_request_is_retried() {
    let backend = RawBackend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let response = close_on("PUT", &backend, &client).await;
    let mut new: Raw = backend.accept(100).await;
    assert_eq!(new.next(DATA).await.payload, b"body");
    new.respond(1).await;
    assert_eq!(patiently(response).await.unwrap().status(), 200);
}

#[tokio::test]
async fn other_request_is_not_retried() {
    let backend = RawBackend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let response = close_on("POST", &backend, &client).await;
    assert_eq!(patiently(response).await.unwrap().status(), 502);
}
