//! Clients that go away: whenever that is, their slot is free at once and the backend hears of it.
//!
//! Each test says by its backend how far the request had come.

use activator_bin::testing::{Activator, HalfClose};
use tokio::io::AsyncWriteExt;

use crate::support::activator::{Ask, PATIENCE, config, start, start_with, until};
use crate::support::backend::{Backend, FullListener};
use crate::support::http1::{Client, HELLO, get};

/// How a client goes away.
#[derive(Clone, Copy, Debug)]
enum Leave {
    /// Says goodbye, as a program that is killed does.
    Close,
    /// Says goodbye in one direction, but would still read.
    HalfClose,
    /// Slams the door.
    Reset,
}

/// Each with what `limits.half_close` says. Only there does a half-closed client leave.
const WAYS: [(Leave, HalfClose); 4] = [
    (Leave::Close, HalfClose::Respond),
    (Leave::Reset, HalfClose::Respond),
    (Leave::Close, HalfClose::Gone),
    (Leave::HalfClose, HalfClose::Gone),
];

async fn scene(half_close: HalfClose) -> (Backend, Activator, Client) {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.limits.half_close = half_close;
    let activator = start_with(config);
    let client = activator.connect().await;
    (backend, activator, client)
}

/// Keeps a half-closed client alive.
async fn leave(mut client: Client, how: Leave) -> Option<Client> {
    match how {
        Leave::Close => None,
        Leave::HalfClose => {
            client.socket.shutdown().await.unwrap();
            Some(client)
        }
        Leave::Reset => {
            client.socket.set_zero_linger().unwrap();
            None
        }
    }
}

#[tokio::test]
async fn before_the_head_is_complete() {
    for (how, setting) in WAYS {
        let (_backend, activator, mut client) = scene(setting).await;
        client.send(format!("GET / HTTP/1.1\r\n{HELLO}")).await;
        let kept = leave(client, how).await;
        if let Some(mut client) = kept {
            assert_eq!(client.rest().await.0, "", "{how:?}");
        }
        // Only counted requests are tracked.
        assert_eq!(activator.reporter().tracked_keys(), 0, "{how:?}");
    }
}

/// A client goes away, in each way, after `arrive` has brought its request to where the test says;
/// that answers the backend's connection.
async fn check(arrive: impl AsyncFn(&Backend, &mut Client) -> Client) {
    for (how, setting) in WAYS {
        let (backend, activator, mut client) = scene(setting).await;
        let mut connection = arrive(&backend, &mut client).await;
        assert_eq!(activator.in_flight(), 1);
        let _kept = leave(client, how).await;
        activator.until_in_flight(0).await;
        // The backend must not take what it has of an upload for all of it.
        assert_eq!(connection.rest().await.0, "", "{how:?}");
    }
}

#[tokio::test]
async fn between_head_and_body() {
    check(async |backend, client| {
        let head = format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: 5\r\n\r\n");
        client.send(head).await;
        let mut connection = backend.accept().await;
        connection.head().await;
        connection
    })
    .await;
}

#[tokio::test]
async fn within_the_upload() {
    for (framing, part) in [
        ("Content-Length: 5", "ab"),
        ("Transfer-Encoding: chunked", "2\r\nab\r\n"),
    ] {
        check(async |backend, client| {
            let upload = format!("POST / HTTP/1.1\r\n{HELLO}{framing}\r\n\r\n{part}");
            client.send(upload).await;
            let mut connection = backend.accept().await;
            connection.head().await;
            assert_eq!(connection.bytes(part.len()).await, part.as_bytes());
            connection
        })
        .await;
    }
}

#[tokio::test]
async fn within_an_unread_upload() {
    for (how, setting) in WAYS {
        let (backend, activator, mut client) = scene(setting).await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\n{HELLO}Content-Length: 1000000000\r\n\r\n"
            ))
            .await;
        let mut connection = backend.accept().await;
        connection.head().await;
        // Until every buffer on the way is full.
        client.fill_buffers().await;
        assert_eq!(activator.in_flight(), 1);
        let _kept = leave(client, how).await;
        if matches!(how, Leave::Reset) {
            activator.until_in_flight(0).await;
        }
        // A goodbye stands behind the bytes that nobody reads, in the client's own kernel.
        drop(connection);
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn while_waiting_for_the_response() {
    for requests in [1, 3] {
        check(async |backend, client| {
            client.send(get("/").repeat(requests)).await;
            backend.request().await.0
        })
        .await;
    }
}

#[tokio::test]
async fn while_connecting_to_the_backend() {
    let full = FullListener::new().await;
    let activator = start(&[full.address]);
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    activator.until_in_flight(1).await;
    drop(client);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn within_the_response() {
    for head in [
        "content-length: 10",
        "transfer-encoding: chunked",
        "x-until: close",
    ] {
        check(async |backend, client| {
            client.send(get("/")).await;
            let (mut connection, _) = backend.request().await;
            connection
                .send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nabc\r\n"))
                .await;
            client.head().await;
            client.bytes(3).await;
            connection
        })
        .await;
    }
}

#[tokio::test]
async fn within_an_unread_response() {
    let (backend, activator, mut client) = scene(HalfClose::Respond).await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection.send("HTTP/1.1 200 OK\r\n\r\n").await;
    connection.fill_buffers().await;
    assert_eq!(activator.in_flight(), 1);
    drop(client);
    activator.until_in_flight(0).await;
    let failing = tokio::time::timeout(PATIENCE, async {
        while connection.socket.write_all(b"x").await.is_ok() {}
    });
    failing.await.expect("the backend notices");
}

#[tokio::test]
async fn after_the_response() {
    for (how, setting) in WAYS {
        let (backend, activator, mut client) = scene(setting).await;
        client.send(get("/")).await;
        let (mut connection, _) = backend.request().await;
        connection
            .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            .await;
        assert_eq!(client.message().await.body, "ok");
        activator.until_in_flight(0).await;
        let _kept = leave(client, how).await;
        // The backend's connection is another client's next.
        let mut other = activator.connect().await;
        drop(activator.connect().await);
        other.send(get("/")).await;
        until("a request on some connection", || {
            activator.in_flight() == 1
        })
        .await;
    }
}
