//! What connections are used for, on both sides, and when they are closed.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::time::MissedTickBehavior;

use crate::support::activator::{Ask, config, start, start_with};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{HELLO, OK, get};
use crate::support::metrics::until_line;

#[tokio::test]
async fn backend_connection_is_reused() {
    for answer in [
        OK,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
    ] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let mut client = activator.connect().await;
        client.send(get("/")).await;
        let mut connection = backend.accept().await;
        for _ in 0..5 {
            connection.message().await;
            connection.send(answer).await;
            client.message().await;
            client.send(get("/")).await;
        }
        // Also when a request has a body.
        connection.message().await;
        connection.send(answer).await;
        client.message().await;
        client
            .send(format!(
                "POST / HTTP/1.1\r\n{HELLO}Content-Length: 3\r\n\r\nabc"
            ))
            .await;
        assert_eq!(connection.message().await.body, "abc");
    }
}

#[tokio::test]
async fn closed_idle_connection_is_not_used() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    for round in 0..20 {
        client.send(get("/")).await;
        let (mut connection, _) = backend.request().await;
        connection.send(OK).await;
        assert_eq!(client.message().await.status(), 200, "round {round}");
        connection.socket.shutdown().await.unwrap();
        // The proxy closes its side once it has heard: what is sent before that is lost for good.
        assert_eq!(connection.rest().await.0, "");
    }
}

#[tokio::test]
async fn backend_that_closes_gets_a_new_connection_each_time() {
    for head in ["HTTP/1.1 200 OK\r\nconnection: close", "HTTP/1.0 200 OK"] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let mut client = activator.connect().await;
        for _ in 0..5 {
            client.send(get("/")).await;
            let (mut connection, _) = backend.request().await;
            connection
                .send(format!("{head}\r\ncontent-length: 2\r\n\r\nok"))
                .await;
            assert_eq!(client.message().await.body, "ok");
            assert_eq!(connection.rest().await.0, "");
        }
    }
}

#[tokio::test]
async fn pipelined_responses_come_in_order() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    let paths = ["/1", "/2", "/3", "/4"];
    let requests: String = paths.map(get).concat();
    client.send(requests).await;
    let mut connection = backend.accept().await;
    for path in paths {
        let request = connection.message().await;
        assert_eq!(request.first_line, format!("GET {path} HTTP/1.1"));
        assert_eq!(activator.in_flight(), 1);
        let length = path.len();
        connection
            .send(format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{path}"
            ))
            .await;
        // An answer does not wait for the next one.
        assert_eq!(client.message().await.body, path);
    }
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn expect_continue_gets_100() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\n{HELLO}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
        ))
        .await;
    let mut connection = backend.accept().await;
    connection.head().await;
    assert_eq!(client.head().await.first_line, "HTTP/1.1 100 Continue");
    client.send("abc").await;
    assert_eq!(connection.bytes(3).await, b"abc");
    connection.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn expect_continue_gets_no_100_when_refused() {
    let mut config = config(&[]);
    config.throttle.max_queued_requests = 0;
    let activator = start_with(config);
    let mut client = activator.connect().await;
    let answer = client
        .ask(&format!(
            "POST / HTTP/1.1\r\n{HELLO}Content-Length: 3\r\nExpect: 100-continue\r\n"
        ))
        .await;
    assert_eq!(answer.status(), 503);
}

#[tokio::test]
async fn connection_close_is_obeyed() {
    let (address, _requests) = answering(OK).await;
    let activator = start(&[address]);
    for request in [
        format!("GET / HTTP/1.1\r\n{HELLO}Connection: close\r\n"),
        format!("GET / HTTP/1.0\r\n{HELLO}"),
    ] {
        let mut client = activator.connect().await;
        let answer = client.ask(&request).await;
        assert_eq!(answer.body, "ok");
        assert_ne!(answer.header("connection"), Some("keep-alive"));
        let (rest, end) = client.rest().await;
        assert_eq!((&*rest, end.is_ok()), ("", true));
    }
    let mut client = activator.connect().await;
    let request = format!("GET / HTTP/1.0\r\n{HELLO}Connection: keep-alive\r\n");
    for _ in 0..2 {
        let answer = client.ask(&request).await;
        assert_eq!(answer.header("connection"), Some("keep-alive"));
    }
}

/// What is said to a client that takes too long for a head.
const LATE: &str = "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\
    Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n\
    Content-Length: 45\r\n\r\nthe request head did not arrive within 500ms\n";

#[tokio::test]
async fn header_timeout_is_for_heads_not_for_idle_connections() {
    const HEAD_TIMEOUT: Duration = Duration::from_millis(500);
    let (address, _requests) = answering(OK).await;
    let mut config = config(&[address]);
    config.limits.header_timeout = HEAD_TIMEOUT;
    let activator = start_with(config);
    // Nothing at all; a part; a part, byte after byte; a part after a whole request.
    for (before, said) in [("", ""), ("P", LATE), ("GET / HT", LATE)] {
        let mut client = activator.connect().await;
        client.send(before).await;
        let begin = Instant::now();
        let (answer, end) = client.rest().await;
        assert_eq!(answer, said);
        assert!(end.is_ok());
        assert!(begin.elapsed() >= HEAD_TIMEOUT / 2);
    }
    until_line(
        &activator,
        r#"activator_errors_total{reason="client_timeout"} 2"#,
    )
    .await;
    let mut client = activator.connect().await;
    client.get("/").await;
    tokio::time::sleep(HEAD_TIMEOUT * 2).await;
    client.get("/").await;
    client.send("G").await;
    let mut drips = 0;
    let mut drip = tokio::time::interval(HEAD_TIMEOUT / 10);
    // After a stall of this thread the server gets its time as well.
    drip.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first byte starts the clock, not the last one.
    while !client.is_closed() && drips < 100 {
        drip.tick().await;
        // Once it is closed this fails, as it should.
        let _ = client.socket.try_write(b"E");
        drips += 1;
    }
    assert!(drips < 50, "{drips}");
    assert_eq!(activator.in_flight(), 0);
}

#[tokio::test]
async fn too_long_head_is_refused() {
    let activator = start(&[]);
    for length in [70_000, 1_000_000] {
        let mut client = activator.connect().await;
        let long = "x".repeat(length);
        let answer = client
            .ask(&format!("GET / HTTP/1.1\r\n{HELLO}X-Long: {long}\r\n"))
            .await;
        assert_eq!(answer.status(), 431);
        assert!(client.rest().await.1.is_ok());
    }
    assert_eq!(activator.reporter().tracked_keys(), 0);
}
