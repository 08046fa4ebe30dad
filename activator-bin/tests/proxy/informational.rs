//! Informational answers (1xx), before the final one.

use crate::support::activator::{Ask, scene};
use crate::support::http1::{HELLO, OK, get};

const HINTS: &str =
    "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nLink: </b.js>\r\n\r\n";

#[tokio::test]
async fn informational_responses_are_forwarded_in_order() {
    let (backend, _activator, mut client) = scene().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    for head in [
        "HTTP/1.1 102 Processing\r\n\r\n",
        HINTS,
        "HTTP/1.1 100 Continue\r\n\r\n",
        HINTS,
    ] {
        connection.send(head).await;
        assert_eq!(
            String::from_utf8(client.until(b"\r\n\r\n").await).unwrap(),
            head
        );
    }
    connection.send(format!("{HINTS}{HINTS}{OK}")).await;
    let all = [HINTS, HINTS].concat();
    assert_eq!(
        String::from_utf8(client.bytes(all.len()).await).unwrap(),
        all
    );
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn order_is_kept_among_pipelined_responses() {
    let (backend, _activator, mut client) = scene().await;
    client.send(get("/").repeat(3)).await;
    let mut connection = backend.accept().await;
    for _ in 0..3 {
        connection.message().await;
        connection.send(format!("{HINTS}{OK}")).await;
    }
    for _ in 0..3 {
        assert_eq!(client.head().await.status(), 103);
        assert_eq!(client.message().await.body, "ok");
    }
}

#[tokio::test]
async fn http_1_0_client_gets_none() {
    let (backend, _activator, mut client) = scene().await;
    client.send(format!("GET / HTTP/1.0\r\n{HELLO}\r\n")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(format!("{HINTS}{OK}")).await;
    assert_eq!(client.message().await.status(), 200);
}

#[tokio::test]
async fn hop_by_hop_headers_are_removed() {
    let (backend, _activator, mut client) = scene().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection
        .send(format!(
            "HTTP/1.1 103 Early Hints\r\nConnection: x-hop\r\nX-Hop: 1\r\nKeep-Alive: 1\r\n\
             Content-Length: 9\r\nTransfer-Encoding: chunked\r\nX-End: 1\r\n\r\n{OK}"
        ))
        .await;
    assert_eq!(client.head().await.headers, ["x-end: 1"]);
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn upgrade_may_follow() {
    let (backend, _activator, mut client) = scene().await;
    client
        .send(format!(
            "GET / HTTP/1.1\r\n{HELLO}Connection: Upgrade\r\nUpgrade: chat\r\n\r\n"
        ))
        .await;
    let (mut connection, _) = backend.request().await;
    connection
        .send(format!(
            "{HINTS}HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\nhi"
        ))
        .await;
    assert_eq!(client.head().await.status(), 103);
    assert_eq!(client.head().await.status(), 101);
    assert_eq!(client.bytes(2).await, b"hi");
}

#[tokio::test]
async fn slow_client_misses_some_but_not_the_response() {
    let (backend, _activator, mut client) = scene().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    // More than sockets hold, so that it would show if it were kept.
    let sent = 32 << 20;
    let many = HINTS.repeat(1_000);
    for _ in 0..sent / many.len() {
        connection.send(&many).await;
    }
    connection.send(OK).await;
    let mut read = 0;
    let answer = loop {
        let message = client.message().await;
        match message.status() {
            103 => read += HINTS.len(),
            _ => break message,
        }
    };
    assert_eq!(answer.body, "ok");
    assert!(0 < read && read < sent, "{read}");
}

fn upload() -> String {
    format!("POST / HTTP/1.1\r\n{HELLO}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
}

#[tokio::test]
async fn backend_100_is_forwarded_once() {
    let (backend, _activator, mut client) = scene().await;
    client.send(upload()).await;
    let mut connection = backend.accept().await;
    let head = connection.head().await;
    assert_eq!(head.header("expect"), Some("100-continue"));
    connection.send(HINTS).await;
    assert_eq!(client.head().await.status(), 103);
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    connection.send(go_on.repeat(2)).await;
    assert_eq!(client.until(b"\r\n\r\n").await, go_on.as_bytes());
    client.send("body").await;
    assert_eq!(connection.bytes(4).await, b"body");
    connection.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
    // Both connections are as good as new.
    client.send(get("/")).await;
    connection.message().await;
    connection.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn body_sent_early_is_forwarded() {
    let (backend, _activator, mut client) = scene().await;
    client.send(upload() + "body").await;
    let (mut connection, request) = backend.request().await;
    assert_eq!(request.body, "body");
    connection.send(OK).await;
    assert_eq!(client.head().await.status(), 100);
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn early_final_response_stops_the_upload() {
    // One that comes at once, and one that takes longer than the patience with silent backends.
    for answer in ["no", &"x".repeat(1 << 16)] {
        let (backend, activator, mut client) = scene().await;
        client.send(upload()).await;
        let mut connection = backend.accept().await;
        connection.head().await;
        let head = format!(
            "HTTP/1.1 413 Content Too Large\r\ncontent-length: {}\r\n\r\n",
            answer.len()
        );
        let (first, rest) = answer.split_at(1);
        connection.send(head + first).await;
        let head = client.head().await;
        assert_eq!(
            (head.status(), head.header("connection")),
            (413, Some("close"))
        );
        assert_eq!(client.bytes(1).await, first.as_bytes());
        // Too late: what follows the head is neither a body nor a request any more.
        client.send("body").await;
        if rest.len() > 1 {
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        }
        connection.send(rest).await;
        assert_eq!(client.bytes(rest.len()).await, rest.as_bytes());
        assert!(client.rest().await.1.is_ok());
        assert_eq!(connection.rest().await.0, "");
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn expectation_without_a_body_is_ignored() {
    let (backend, _activator, mut client) = scene().await;
    client
        .send(format!(
            "GET / HTTP/1.1\r\n{HELLO}Expect: 100-continue\r\n\r\n"
        ))
        .await;
    let (mut connection, _) = backend.request().await;
    connection.send(OK).await;
    assert_eq!(client.message().await.status(), 200);
}
