//! Connections that leave HTTP, WebSocket and whatever else both ends agree on: the offer and the switch.

use crate::support::activator::{Ask, config, scene, start, start_with};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{HELLO, get, get_with};
use crate::support::upgrade::{OFFER, SWITCH};

mod tunnel;

#[tokio::test]
async fn upgrade_header_is_forwarded() {
    let (address, mut requests) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let activator = start(&[address]);
    for (version, headers, expected) in [
        ("1.1", OFFER, Some("chat")),
        (
            "1.1",
            "connection: UPGRADE\r\nupgrade: WebSocket\r\n",
            Some("WebSocket"),
        ),
        (
            "1.1",
            "Connection: keep-alive, upgrade\r\nUpgrade: a/1, b\r\nUpgrade: c\r\n",
            Some("a/1, b, c"),
        ),
        (
            "1.1",
            "Connection: Upgrade\r\nUpgrade: H2C, chat\r\n",
            Some("chat"),
        ),
        (
            "1.1",
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
            None,
        ),
        ("1.1", "Connection: Upgrade\r\nUpgrade: ,\r\n", None),
        ("1.1", "Connection: Upgrade\r\n", None),
        ("1.1", "Upgrade: chat\r\n", None),
        ("1.0", OFFER, None),
    ] {
        let mut client = activator.connect().await;
        let head = format!("GET / HTTP/{version}\r\n{HELLO}{headers}");
        assert_eq!(client.ask(&head).await.status(), 204, "{headers}");
        let request = requests.recv().await.unwrap();
        assert_eq!(request.header("upgrade"), expected, "{headers}");
        assert_eq!(request.header("connection"), expected.map(|_| "Upgrade"));
        assert_eq!(request.header("http2-settings"), None);
    }
}

#[tokio::test]
async fn only_offered_protocols_are_accepted() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    for (offered, switch, status) in [
        ("chat", "Connection: Upgrade\r\nUpgrade: chat\r\n", 101),
        ("chat", "Connection: upgrade\r\nUpgrade: CHAT\r\n", 101),
        (
            "a, chat, b",
            "Connection: Upgrade\r\nUpgrade: chat\r\n",
            101,
        ),
        ("a, b", "Connection: Upgrade\r\nUpgrade: b, a\r\n", 101),
        ("chat", "Connection: Upgrade\r\nUpgrade: talk\r\n", 502),
        (
            "chat",
            "Connection: Upgrade\r\nUpgrade: chat, talk\r\n",
            502,
        ),
        ("chat", "Connection: Upgrade\r\n", 502),
        ("h2c", "Connection: Upgrade\r\nUpgrade: h2c\r\n", 502),
    ] {
        let mut client = activator.connect().await;
        client
            .send(get_with(&format!(
                "Connection: Upgrade\r\nUpgrade: {offered}\r\n"
            )))
            .await;
        let (mut connection, _) = backend.request().await;
        connection
            .send(format!("HTTP/1.1 101 Switching Protocols\r\n{switch}\r\n"))
            .await;
        let answer = client.message().await;
        assert_eq!(answer.status(), status, "{offered} {switch}");
        if status == 502 {
            let expected = format!(
                "revision default/hello: backend {} switched to a protocol that was not requested\n",
                backend.address
            );
            assert_eq!(answer.body, expected);
            assert_eq!(connection.rest().await.0, "");
            activator.until_in_flight(0).await;
        }
    }
}

#[tokio::test]
async fn headers_of_the_101_are_forwarded() {
    let (backend, _activator, mut client) = scene().await;
    client.send(get_with(OFFER)).await;
    let (mut connection, _) = backend.request().await;
    connection
        .send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, X-Hop\r\nUpgrade: Chat\r\n\
             X-Hop: 1\r\nKeep-Alive: 5\r\nContent-Length: 0\r\nSec-WebSocket-Accept: x\r\n\r\n",
        )
        .await;
    let head = client.head().await;
    assert_eq!(head.first_line, "HTTP/1.1 101 Switching Protocols");
    let headers: Vec<_> = head.headers.iter().map(String::as_str).collect();
    let without_date: Vec<_> = headers
        .into_iter()
        .filter(|line| !line.starts_with("date: "))
        .collect();
    assert_eq!(
        without_date,
        [
            "sec-websocket-accept: x",
            "connection: Upgrade",
            "upgrade: Chat"
        ]
    );
}

#[tokio::test]
async fn bytes_behind_either_head_arrive() {
    let (backend, _activator, mut client) = scene().await;
    client.send(get_with(OFFER) + "from the client").await;
    let (mut connection, _) = backend.request().await;
    connection.send(format!("{SWITCH}from the backend")).await;
    assert_eq!(client.head().await.status(), 101);
    assert_eq!(client.bytes(16).await, b"from the backend");
    assert_eq!(connection.bytes(15).await, b"from the client");
    client.send("more").await;
    assert_eq!(connection.bytes(4).await, b"more");
}

#[tokio::test]
async fn bytes_behind_a_refused_upgrade_are_the_next_request() {
    let (address, mut requests) =
        answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    let next = get("/next");
    client.send(get_with(OFFER) + &next).await;
    for path in ["/", "/next"] {
        let answer = client.message().await;
        assert_eq!((answer.status(), &*answer.body), (403, "no"));
        let request = requests.recv().await.unwrap();
        assert_eq!(request.first_line, format!("GET {path} HTTP/1.1"));
    }
    activator.until_in_flight(0).await;
    // Hyper would let go of such a connection, and of what is on its way, without closing it.
    client
        .send(format!("no request\r\n\r\n{}", "x".repeat(1 << 20)))
        .await;
    assert_eq!(client.message().await.status(), 400);
    assert!(client.rest().await.1.is_ok());
}

#[tokio::test]
async fn upgrade_of_a_request_with_a_body_is_dropped() {
    let (address, mut requests) = answering("HTTP/1.1 204 No Content\r\n\r\n").await;
    let activator = start(&[address]);
    for (framing, body) in [
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let mut client = activator.connect().await;
        let request = format!("POST / HTTP/1.1\r\n{HELLO}{OFFER}{framing}\r\n\r\n{body}");
        client.send(request).await;
        assert_eq!(client.message().await.status(), 204, "{framing}");
        let request = requests.recv().await.unwrap();
        assert_eq!(request.header("upgrade"), None, "{framing}");
        assert_eq!(request.header("connection"), None, "{framing}");
        assert_eq!(request.body, "hello", "{framing}");
    }
}

#[tokio::test]
async fn connection_of_a_refused_upgrade_is_not_reused() {
    for response in [
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
    ] {
        let backend = Backend::bind().await;
        let mut config = config(&[backend.address]);
        config.workers = 1;
        let activator = start_with(config);
        let mut client = activator.connect().await;
        client.send(get_with(OFFER)).await;
        let (mut first, _) = backend.request().await;
        first.send(response).await;
        client.message().await;
        // The backend does not read it any more, and is told that nobody will write.
        client.send(get("/")).await;
        let (mut second, request) = backend.request().await;
        assert_eq!(request.header("upgrade"), None);
        assert_eq!(first.rest().await.0, "");
        second.send("HTTP/1.1 204 No Content\r\n\r\n").await;
        assert_eq!(client.message().await.status(), 204);
    }
}
