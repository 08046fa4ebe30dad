//! Backends that fail: the client is told what happened, or its connection is cut, never more and never less.

use std::io::ErrorKind;

use crate::support::activator::{Ask, scene, start};
use crate::support::backend::answering;
use crate::support::http1::{HELLO, Message, get};

#[track_caller]
fn check(answer: &Message, status: u16, text: &str) {
    assert_eq!((answer.status(), &*answer.body), (status, text));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

/// What a backend does with a request before it closes the connection.
async fn check_bad_answer(answer: &str, what: &str) {
    let (backend, activator, mut client) = scene().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(answer).await;
    drop(connection);
    let text = format!(
        "revision default/hello: backend {} {what}\n",
        backend.address
    );
    check(&client.message().await, 502, &text);
    activator.until_in_flight(0).await;
    let answer = client.ask("GET / HTTP/1.1\r\nHost: nobody\r\n").await;
    assert_eq!(answer.status(), 404);
}

#[tokio::test]
async fn invalid_response_gets_502() {
    let invalid = "sent an invalid response:";
    for (answer, what) in [
        (
            "HTTP/1.1 200 OK\r\nX-A: 1",
            "closed the connection before responding".to_owned(),
        ),
        (
            "SSH-2.0-OpenSSH_9.2\r\n",
            format!("{invalid} invalid HTTP version"),
        ),
        (
            "HTTP/1.1 999999 OK\r\n\r\n",
            format!("{invalid} invalid response status"),
        ),
        (
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            format!("{invalid} invalid header name"),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            format!("{invalid} invalid Content-Length"),
        ),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            "switched to a protocol that was not requested".to_owned(),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            "sent a response with an unknown transfer coding".to_owned(),
        ),
    ] {
        check_bad_answer(answer, &what).await;
    }
}

#[tokio::test]
async fn reset_backend_is_named() {
    let (backend, activator, mut client) = scene().await;
    client.send(format!("POST / HTTP/1.1\r\n{HELLO}\r\n")).await;
    let (connection, _) = backend.request().await;
    connection.socket.set_zero_linger().unwrap();
    drop(connection);
    let text = format!(
        "revision default/hello: backend {} lost the connection (connection reset) before responding\n",
        backend.address
    );
    check(&client.message().await, 502, &text);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn truncated_response_never_looks_complete() {
    // What the backend sends, and what the client gets of it at most.
    for (version, head, body) in [
        ("1.1", "content-length: 10", "abc"),
        ("1.1", "transfer-encoding: chunked", "3\r\nabc\r\n"),
        ("1.0", "content-length: 10", "abc"),
        ("1.0", "transfer-encoding: chunked", "3\r\nabc\r\n"),
    ] {
        let (backend, activator, mut client) = scene().await;
        client
            .send(format!("GET / HTTP/{version}\r\n{HELLO}\r\n"))
            .await;
        let (mut connection, _) = backend.request().await;
        connection
            .send(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}"))
            .await;
        let seen = client.head().await;
        assert_eq!(seen.status(), 200);
        drop(connection);
        let (rest, end) = client.rest().await;
        assert!(
            !rest.ends_with("0\r\n\r\n") && rest.len() <= body.len(),
            "{version} {head}: {rest}"
        );
        // Without a length, an orderly end of the connection would be the end of the answer.
        if seen.header("content-length").is_none() && seen.header("transfer-encoding").is_none() {
            assert_eq!(
                end.map_err(|error| error.kind()),
                Err(ErrorKind::ConnectionReset)
            );
        }
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn response_until_close_ends_orderly() {
    let (backend, _activator, mut client) = scene().await;
    client.send(format!("GET / HTTP/1.0\r\n{HELLO}\r\n")).await;
    let (mut connection, _) = backend.request().await;
    connection.send("HTTP/1.1 200 OK\r\n\r\nabc").await;
    drop(connection);
    assert_eq!(client.head().await.first_line, "HTTP/1.0 200 OK");
    let (rest, end) = client.rest().await;
    assert_eq!((&*rest, end.is_ok()), ("abc", true));
}

#[tokio::test]
async fn malformed_upload_gets_400() {
    let (backend, activator, mut client) = scene().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\n{HELLO}Transfer-Encoding: chunked\r\n\r\n"
        ))
        .await;
    let mut connection = backend.accept().await;
    connection.head().await;
    client.send("no number\r\n").await;
    check(
        &client.message().await,
        400,
        "the request body is invalid or ended early\n",
    );
    assert_eq!(connection.rest().await.0, "");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn refusal_arrives_before_the_upload_is_read() {
    let (address, _requests) = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    let activator = start(&[address]);
    for _ in 0..20 {
        let mut client = activator.connect().await;
        // More than any buffer takes, for a revision that does not exist.
        client
            .send("POST / HTTP/1.1\r\nHost: nobody\r\nContent-Length: 1000000\r\n\r\n")
            .await;
        client.send(vec![b'x'; 1_000_000]).await;
        let answer = client.message().await;
        assert_eq!(answer.status(), 404);
        assert!(client.rest().await.1.is_ok());
    }
}
