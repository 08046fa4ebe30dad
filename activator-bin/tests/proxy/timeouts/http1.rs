//! The time of requests over HTTP/1.

use std::time::Instant;

use activator_bin::testing::TimeoutLimits;

use super::{CHUNKED, LONG, SHORT, check_timed_out, idle, response_start, start, total};
use crate::support::activator::{Ask, change, put, queue};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{Client, HELLO, OK, get};
use crate::support::metrics::until_metric;

#[tokio::test]
async fn queued_request_times_out() {
    for limits in [total(SHORT), response_start(SHORT), idle(SHORT)] {
        let activator = start(&[], limits);
        let mut client = activator.connect().await;
        let begin = Instant::now();
        client.send(get("/")).await;
        let answer = client.message().await;
        assert!(begin.elapsed() >= SHORT);
        check_timed_out(&answer);
        activator.until_in_flight(0).await;
        until_metric(&activator, "queued", 0).await;
        let answer = client.ask("GET / HTTP/1.1\r\nHost: nobody\r\n").await;
        assert_eq!(answer.status(), 404);
    }
}

async fn check_left(limits: TimeoutLimits) {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], limits);
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let mut connection = backend.accept().await;
    check_timed_out(&client.message().await);
    connection.rest().await.1.unwrap();
    activator.until_in_flight(0).await;
    until_metric(&activator, "active", 0).await;
}

#[tokio::test]
async fn slow_backend_times_out() {
    tokio::join!(
        check_left(total(LONG)),
        check_left(response_start(LONG)),
        check_left(idle(LONG)),
    );
}

/// The request has its answer's first part `abc` when the total timeout passes.
async fn check_cut(version: &str, answer: &str, expected: &str) {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], total(LONG));
    let mut client = activator.connect().await;
    client
        .send(format!("GET / HTTP/{version}\r\n{HELLO}\r\n"))
        .await;
    let (mut connection, _) = backend.request().await;
    connection.send(answer).await;
    assert_eq!(client.head().await.status(), 200);
    let (rest, end) = client.rest().await;
    assert_eq!(rest, expected);
    // Without a length only the way in which the connection ends can tell.
    assert_eq!(end.is_err(), version == "1.0");
    assert_eq!(connection.rest().await.0, "");
    activator.until_in_flight(0).await;
    until_metric(&activator, "active", 0).await;
}

#[tokio::test]
async fn timed_out_response_never_looks_complete() {
    let chunks = format!("{CHUNKED}3\r\nabc\r\n");
    let sized = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc";
    tokio::join!(
        check_cut("1.1", &chunks, "3\r\nabc\r\n"),
        check_cut("1.1", sized, "abc"),
        check_cut("1.0", "HTTP/1.1 200 OK\r\n\r\nabc", "abc"),
    );
}

/// Has the backend send without end, so much that it is stuck.
async fn send_without_end(mut connection: Client) {
    connection.send(CHUNKED).await;
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x1_0000));
    use tokio::io::AsyncWriteExt;
    while connection.socket.write_all(chunk.as_bytes()).await.is_ok() {}
}

#[tokio::test]
async fn client_that_does_not_read_times_out() {
    for limits in [total(LONG), idle(LONG)] {
        let backend = Backend::bind().await;
        let activator = start(&[&backend], limits);
        let mut client = activator.connect().await;
        client.send(get("/")).await;
        let (connection, _) = backend.request().await;
        let sending = tokio::spawn(send_without_end(connection));
        assert_eq!(client.head().await.status(), 200);
        sending.await.unwrap();
        activator.until_in_flight(0).await;
        until_metric(&activator, "active", 0).await;
        let (rest, _) = client.rest().await;
        assert!(!rest.ends_with("\r\n0\r\n\r\n"));
    }
}

#[tokio::test]
async fn idle_timeout_is_for_silent_responses_only() {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], idle(LONG));
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(CHUNKED).await;
    client.head().await;
    let begin = Instant::now();
    while begin.elapsed() < LONG + LONG / 4 {
        connection.send("1\r\na\r\n").await;
        assert_eq!(client.bytes(6).await, b"1\r\na\r\n");
        tokio::time::sleep(LONG / 10).await;
    }
    let last = Instant::now();
    connection.send("1\r\nz\r\n").await;
    assert_eq!(client.rest().await.0, "1\r\nz\r\n");
    assert!(last.elapsed() >= LONG);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn response_start_timeout_ends_with_the_head() {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], response_start(LONG));
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(CHUNKED).await;
    client.head().await;
    tokio::time::sleep(LONG + LONG / 4).await;
    connection.send("0\r\n\r\n").await;
    assert_eq!(client.bytes(5).await, b"0\r\n\r\n");
}

#[tokio::test]
async fn new_timeout_applies_to_later_requests() {
    let activator = start(&[], TimeoutLimits::default());
    let mut waiting = queue(&activator, 1).await;
    change(&activator, |config| config.timeouts = total(SHORT));
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    check_timed_out(&client.message().await);
    let (address, _requests) = answering(OK).await;
    put(&activator, &[address]);
    assert_eq!(waiting[0].message().await.body, "ok");
}

#[tokio::test]
async fn slot_of_a_timed_out_request_is_released() {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], total(LONG));
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(CHUNKED).await;
    client.head().await;
    change(&activator, |config| {
        config.timeouts = TimeoutLimits::default();
    });
    let mut next = queue(&activator, 1).await;
    assert!(backend.is_silent());
    let (mut connection, _) = backend.request().await;
    connection.send(OK).await;
    assert_eq!(next[0].message().await.body, "ok");
    assert_eq!(client.rest().await.0, "");
}
