//! Bodies of any size, in both directions at once.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::activator::{Ask, PATIENCE, echo, scene, start, start_with};
use crate::support::backend::answering;
use crate::support::http1::{HELLO, get};

/// The byte at a position of a body: a lost, doubled or misplaced piece shows.
fn byte_at(position: usize) -> u8 {
    (position ^ (position >> 8) ^ (position >> 16)) as u8
}

fn piece(from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(byte_at).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_body_is_streamed_both_ways() {
    const SIZE: usize = 64 << 20;
    const PIECE: usize = 100_000;
    let activator = start_with(echo());
    let mut client = activator.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\n{HELLO}Content-Length: {SIZE}\r\n\r\n"
        ))
        .await;
    let head = client.head().await;
    assert_eq!(head.header("content-length"), Some(&*SIZE.to_string()));
    let (mut read, mut write) = client.socket.into_split();
    let up = tokio::spawn(async move {
        for from in (0..SIZE).step_by(PIECE) {
            write
                .write_all(&piece(from, PIECE.min(SIZE - from)))
                .await
                .unwrap();
        }
        write
    });
    let mut received = 0;
    let mut buffer = vec![0; PIECE];
    while received < SIZE {
        let length = timeout(PATIENCE, read.read(&mut buffer))
            .await
            .unwrap()
            .unwrap();
        assert!(length > 0);
        assert_eq!(buffer[..length], piece(received, length), "from {received}");
        received += length;
    }
    drop(up.await.unwrap());
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn slow_client_slows_the_backend() {
    let (backend, _activator, mut client) = scene().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        .await;
    let chunk = vec![b'x'; 1 << 16];
    let mut sent = 0;
    let stuck = Duration::from_millis(300);
    while timeout(stuck, connection.socket.write_all(&chunk))
        .await
        .is_ok()
    {
        sent += chunk.len();
        // The kernel's buffers of both connections take some megabytes.
        assert!(sent < 100 << 20, "{sent}");
    }
}

#[tokio::test]
async fn unread_response_does_not_stop_the_upload() {
    const SIZE: usize = 8 << 20;
    let (backend, activator, mut client) = scene().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\n{HELLO}Content-Length: {SIZE}\r\n\r\n"
        ))
        .await;
    let mut connection = backend.accept().await;
    connection.head().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        .await;
    let (mut read, mut write) = connection.socket.into_split();
    let answering = tokio::spawn(async move {
        let chunk = vec![b'x'; 1 << 16];
        while write.write_all(&chunk).await.is_ok() {}
    });
    // The client reads nothing of that.
    let up = tokio::spawn(async move {
        client.send(vec![b'y'; SIZE]).await;
        client
    });
    let mut upload = vec![0; SIZE];
    timeout(PATIENCE, read.read_exact(&mut upload))
        .await
        .unwrap()
        .unwrap();
    drop(up.await.unwrap());
    activator.until_in_flight(0).await;
    timeout(PATIENCE, answering).await.unwrap().unwrap();
}

#[tokio::test]
async fn pieces_are_forwarded_at_once() {
    let (backend, activator, mut client) = scene().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\n{HELLO}Transfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
    let mut connection = backend.accept().await;
    let head = connection.head().await;
    assert_eq!(head.header("transfer-encoding"), Some("chunked"));
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        .await;
    assert_eq!(
        client.head().await.header("transfer-encoding"),
        Some("chunked")
    );
    for _ in 0..3 {
        client.send("4\r\nping\r\n").await;
        assert_eq!(connection.bytes(9).await, b"4\r\nping\r\n");
        connection.send("pong").await;
        assert_eq!(client.bytes(9).await, b"4\r\npong\r\n");
    }
    client.send("0\r\n\r\n").await;
    assert_eq!(connection.bytes(5).await, b"0\r\n\r\n");
    drop(connection);
    assert_eq!(client.bytes(5).await, b"0\r\n\r\n");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn any_method_keeps_its_body_and_trailers() {
    for method in ["GET", "HEAD", "DELETE", "POST", "OPTIONS"] {
        let (backend, _activator, mut client) = scene().await;
        client
            .send(format!("{method} / HTTP/1.1\r\n{HELLO}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n"))
            .await;
        let (_connection, request) = backend.request().await;
        assert_eq!(request.header("trailer"), Some("X-Sum"), "{method}");
        assert_eq!(request.body, "abcx-sum: 9\r\n", "{method}");
    }
}

#[tokio::test]
async fn server_sent_events_are_forwarded_one_by_one() {
    const EVENT: &str = "data: 1\n\n";
    const CHUNK: &str = "9\r\ndata: 1\n\n\r\n";
    let chunked = "transfer-encoding: chunked\r\n";
    // What the backend says of the length, and an event as it sends it and as the client gets it.
    for (length, sent, got) in [
        (chunked, CHUNK, CHUNK),
        ("", EVENT, CHUNK),
        ("content-length: 1000\r\n", EVENT, EVENT),
    ] {
        let (backend, _activator, mut client) = scene().await;
        client.send(get("/")).await;
        let (mut connection, _) = backend.request().await;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{length}\r\n");
        connection.send(head).await;
        let head = client.head().await;
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        // Each is only sent when the one before has arrived.
        for _ in 0..3 {
            connection.send(sent).await;
            assert_eq!(client.bytes(got.len()).await, got.as_bytes(), "{length}");
        }
    }
}

#[tokio::test]
async fn bad_pipelined_request_does_not_cut_the_response_before_it() {
    const SIZE: usize = 8 * 1024 * 1024;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {SIZE}\r\n\r\n");
    let answer: &'static str = (head + &"x".repeat(SIZE)).leak();
    let (address, _requests) = answering(answer).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    client.send(get("/") + "no request\r\n\r\n").await;
    let whole = client.message().await;
    assert_eq!(whole.status(), 200);
    assert!(whole.body.bytes().all(|byte| byte == b'x'));
    assert_eq!(client.message().await.status(), 400);
    assert!(client.is_over().await);
}
