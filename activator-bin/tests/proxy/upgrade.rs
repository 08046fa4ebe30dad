//! Connections that leave HTTP: WebSocket and whatever else both ends agree on.

use std::time::Duration;

use activator_bin::run::{Activator, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::backend::{Backend, answering};
use crate::client::Client;
use crate::harness::{Ask, HELLO, PATIENCE, config, start};

const OFFER: &str = "Connection: Upgrade\r\nUpgrade: chat\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";

fn get(headers: &str) -> String {
    format!("GET / HTTP/1.1\r\n{HELLO}{headers}\r\n")
}

/// A client and a backend that have left HTTP.
pub(crate) async fn switched(activator: &Activator, backend: &Backend) -> (Client, Client) {
    let mut client = activator.connect().await;
    client.send(get(OFFER)).await;
    let (mut connection, _) = backend.request().await;
    connection.send(SWITCH).await;
    assert_eq!(client.head().await.status(), 101);
    (client, connection)
}

#[tokio::test]
async fn what_is_offered_to_the_backend() {
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
async fn a_switch_to_what_was_offered_and_no_other() {
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
            .send(get(&format!(
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
                "revision default/hello: backend {} switched to a protocol that nobody asked for\n",
                backend.address
            );
            assert_eq!(answer.body, expected);
            assert_eq!(connection.rest().await.0, "");
            activator.until_in_flight(0).await;
        }
    }
}

#[tokio::test]
async fn the_client_gets_the_headers_of_the_switch() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    client.send(get(OFFER)).await;
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
async fn bytes_right_behind_either_head_arrive() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    client.send(get(OFFER) + "from the client").await;
    let (mut connection, _) = backend.request().await;
    connection.send(format!("{SWITCH}from the backend")).await;
    assert_eq!(client.head().await.status(), 101);
    assert_eq!(client.bytes(16).await, b"from the backend");
    assert_eq!(connection.bytes(15).await, b"from the client");
    client.send("more").await;
    assert_eq!(connection.bytes(4).await, b"more");
}

#[tokio::test]
async fn an_offer_may_come_with_a_body() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\n{HELLO}{OFFER}Content-Length: 4\r\n\r\nbodychat"
        ))
        .await;
    let (mut connection, request) = backend.request().await;
    assert_eq!(request.body, "body");
    connection.send(SWITCH).await;
    assert_eq!(client.head().await.status(), 101);
    assert_eq!(connection.bytes(4).await, b"chat");
    connection.send("tahc").await;
    assert_eq!(client.bytes(4).await, b"tahc");
}

#[tokio::test]
async fn bytes_behind_a_refused_offer_are_the_next_request() {
    let (address, mut requests) =
        answering("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    let next = format!("GET /next HTTP/1.1\r\n{HELLO}\r\n");
    client.send(get(OFFER) + &next).await;
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
async fn an_upgraded_connection_counts_and_keeps_its_slot_until_it_ends() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.revisions[0].container_concurrency = 1;
    let activator = Activator::start(config, Options::default()).unwrap();
    let (client, connection) = switched(&activator, &backend).await;
    assert_eq!(activator.in_flight(), 1);
    let mut waiting = activator.connect().await;
    waiting.send(get("")).await;
    activator.until_in_flight(2).await;
    assert!(backend.is_silent());
    drop(client);
    drop(connection);
    let (mut connection, _) = backend.request().await;
    activator.until_in_flight(1).await;
    connection.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(waiting.head().await.status(), 204);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn a_side_that_is_closed_in_one_direction_still_has_the_other() {
    for client_first in [true, false] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let (client, connection) = switched(&activator, &backend).await;
        let (mut first, mut second) = match client_first {
            true => (client, connection),
            false => (connection, client),
        };
        first.send("last words").await;
        first.socket.shutdown().await.unwrap();
        let (words, end) = second.rest().await;
        assert_eq!((&*words, end.is_ok()), ("last words", true));
        // It was passed on a while ago, and was the end of nothing else.
        second.send("still here").await;
        assert_eq!(first.bytes(10).await, b"still here");
        assert_eq!(activator.in_flight(), 1);
        second.socket.shutdown().await.unwrap();
        assert!(first.rest().await.1.is_ok());
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn a_side_that_is_gone_ends_the_other() {
    for client_first in [true, false] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let (client, connection) = switched(&activator, &backend).await;
        let (gone, mut left) = match client_first {
            true => (client, connection),
            false => (connection, client),
        };
        gone.socket.set_zero_linger().unwrap();
        drop(gone);
        activator.until_in_flight(0).await;
        let end = left.rest().await.1;
        // The client can't take it for an orderly end.
        assert!(client_first || end.is_err());
    }
}

#[tokio::test]
async fn a_client_that_is_gone_is_noticed_while_the_backend_reads_nothing() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let (mut client, connection) = switched(&activator, &backend).await;
    fill(&mut client).await;
    client.socket.set_zero_linger().unwrap();
    drop(client);
    activator.until_in_flight(0).await;
    drop(connection);
}

/// Writes until nothing is taken any more; answers how much was.
async fn fill(client: &mut Client) -> usize {
    let chunk = vec![b'x'; 1 << 16];
    let mut written = 0;
    while let Ok(more) = timeout(Duration::from_millis(300), client.socket.write(&chunk)).await {
        written += more.unwrap();
        assert!(written < 64 << 20, "any amount is taken");
    }
    written
}

#[tokio::test]
async fn what_one_side_does_not_read_the_other_cannot_write() {
    for client_first in [true, false] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let (client, connection) = switched(&activator, &backend).await;
        let (mut writer, mut reader) = match client_first {
            true => (client, connection),
            false => (connection, client),
        };
        let written = fill(&mut writer).await;
        // The other direction is not disturbed by that.
        reader.send("slowly, please").await;
        assert_eq!(writer.bytes(14).await, b"slowly, please");
        writer.socket.shutdown().await.unwrap();
        let (text, end) = reader.rest().await;
        assert_eq!((text.len(), end.is_ok()), (written, true));
    }
}

#[tokio::test]
async fn much_goes_both_ways_at_once() {
    const MUCH: usize = 10 << 20;
    let bytes = |seed: usize| -> Vec<u8> {
        (0..MUCH)
            .map(|at| (at * seed / 7 + at / 251) as u8)
            .collect()
    };
    async fn exchange(client: Client, bytes: Vec<u8>) -> Vec<u8> {
        let (mut read, mut write) = client.socket.into_split();
        let mut received = Vec::new();
        let sending = async {
            write.write_all(&bytes).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let both = async { tokio::join!(sending, read.read_to_end(&mut received)) };
        timeout(PATIENCE * 3, both).await.unwrap().1.unwrap();
        received
    }
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let (client, connection) = switched(&activator, &backend).await;
    let (at_client, at_backend) =
        tokio::join!(exchange(client, bytes(3)), exchange(connection, bytes(5)));
    assert!(at_client == bytes(5));
    assert!(at_backend == bytes(3));
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn a_drain_waits_for_an_upgraded_connection() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = PATIENCE;
    let activator = Activator::start(config, Options::default()).unwrap();
    let http = activator.http_addr();
    let (mut client, mut connection) = switched(&activator, &backend).await;
    let stopping = tokio::spawn(activator.stop());
    crate::drain::until_refused(http).await;
    client.send("still").await;
    assert_eq!(connection.bytes(5).await, b"still");
    connection.send("here").await;
    assert_eq!(client.bytes(4).await, b"here");
    assert!(!stopping.is_finished());
    drop(client);
    drop(connection);
    timeout(PATIENCE / 2, stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn an_upgraded_connection_ends_with_drain_timeout() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = Duration::from_millis(200);
    let activator = Activator::start(config, Options::default()).unwrap();
    let reporter = activator.reporter().clone();
    let (mut client, mut connection) = switched(&activator, &backend).await;
    activator.stop().await;
    assert_eq!(client.rest().await.0, "");
    assert_eq!(connection.rest().await.0, "");
    assert_eq!(reporter.in_flight(&crate::harness::hello()).unwrap_or(0), 0);
}
