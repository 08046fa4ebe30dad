//! Backends that respond before they have read the request: it is over when its upload is, too.

use std::time::Duration;

use activator_bin::testing::Activator;

use crate::support::activator::{Ask, config, hello, start, start_with, until_refused};
use crate::support::backend::Backend;
use crate::support::http1::{Client, HELLO, OK, get};

/// A client that has its response, and its backend.
async fn early(backend: &Backend, activator: &Activator, framing: &str) -> (Client, Client) {
    let mut client = activator.connect().await;
    client
        .send(format!("POST / HTTP/1.1\r\n{HELLO}{framing}\r\n\r\n"))
        .await;
    let mut connection = backend.accept().await;
    connection.head().await;
    connection.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
    (client, connection)
}

#[tokio::test]
async fn slot_is_released_when_the_upload_ends() {
    for (framing, rest) in [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let backend = Backend::bind().await;
        let mut config = config(&[backend.address]);
        config.workers = 1;
        config.revisions[0].container_concurrency = 1;
        let activator = start_with(config);
        let (mut client, mut connection) = early(&backend, &activator, framing).await;
        let mut waiting = activator.connect().await;
        waiting.send(get("/")).await;
        activator.until_in_flight(2).await;
        assert!(backend.is_silent());
        client.send(rest).await;
        assert_eq!(connection.bytes(rest.len()).await, rest.as_bytes());
        // The connection is free, too.
        assert!(connection.message().await.first_line.starts_with("GET / "));
        activator.until_in_flight(1).await;
        connection.send(OK).await;
        assert_eq!(waiting.message().await.body, "ok");
        // And the client's.
        client.send(get("/")).await;
        connection.message().await;
        connection.send(OK).await;
        assert_eq!(client.message().await.body, "ok");
    }
}

#[tokio::test]
async fn timeout_applies_to_the_upload() {
    for reads in [true, false] {
        let backend = Backend::bind().await;
        let mut config = config(&[backend.address]);
        config.revisions[0].timeouts.total = Duration::from_secs(2);
        let activator = start_with(config);
        let (mut client, mut connection) =
            early(&backend, &activator, "Content-Length: 1000000000").await;
        match reads {
            true => client.send("some").await,
            false => drop(client.fill_buffers().await),
        }
        assert_eq!(activator.in_flight(), 1);
        activator.until_in_flight(0).await;
        // What is left is not read any more, and there is no second response.
        assert_eq!(client.rest().await.0, "");
        let (read, _) = connection.rest().await;
        assert!(!reads || read == "some", "{read}");
    }
}

#[tokio::test]
async fn backend_disconnect_ends_the_upload() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let (mut client, connection) = early(&backend, &activator, "Content-Length: 10").await;
    client.send("some").await;
    drop(connection);
    activator.until_in_flight(0).await;
    assert_eq!(client.rest().await.0, "");
}

#[tokio::test]
async fn client_disconnect_ends_the_upload() {
    for reads in [true, false] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let (mut client, mut connection) =
            early(&backend, &activator, "Content-Length: 1000000000").await;
        match reads {
            true => client.send("some").await,
            false => {
                client.fill_buffers().await;
                client.socket.set_zero_linger().unwrap();
            }
        }
        assert_eq!(activator.in_flight(), 1);
        drop(client);
        activator.until_in_flight(0).await;
        let (read, _) = connection.rest().await;
        assert!(!reads || read == "some", "{read}");
    }
}

#[tokio::test]
async fn complete_upload_arrives_after_a_disconnect() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    // More than the buffers between the two take.
    let length = 16 << 20;
    let framing = format!("Content-Length: {length}");
    let (mut client, mut connection) = early(&backend, &activator, &framing).await;
    let sending = tokio::spawn(async move {
        client.send(vec![b'x'; length]).await;
    });
    assert_eq!(connection.bytes(length).await.len(), length);
    sending.await.unwrap();
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn drain_waits_for_an_upload() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let http = activator.http_addr();
    let (mut client, mut connection) = early(&backend, &activator, "Content-Length: 5").await;
    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    client.send("hello").await;
    assert_eq!(connection.bytes(5).await, b"hello");
    stopping.await.unwrap();
}

#[tokio::test]
async fn drain_timeout_cuts_an_upload() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = Duration::from_millis(200);
    let activator = start_with(config);
    let reporter = activator.reporter().clone();
    let (mut client, mut connection) = early(&backend, &activator, "Content-Length: 5").await;
    activator.stop().await;
    assert_eq!(client.rest().await.0, "");
    assert_eq!(connection.rest().await.0, "");
    assert_eq!(reporter.in_flight(&hello()).unwrap_or(0), 0);
}
