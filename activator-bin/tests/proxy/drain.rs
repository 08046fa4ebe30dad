//! The end of service.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use crate::support::activator::{Ask, PATIENCE, config, hello, start, start_with, until_refused};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{Client, HELLO, OK, get};

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let (address, _requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut clients = Vec::new();
    for _ in 0..10 {
        let mut client = activator.connect().await;
        client.get("/").await;
        clients.push(client);
    }
    let begin = Instant::now();
    activator.stop().await;
    assert!(begin.elapsed() < PATIENCE / 4, "{:?}", begin.elapsed());
    for mut client in clients {
        let (rest, end) = client.rest().await;
        assert_eq!((&*rest, end.is_ok()), ("", true));
    }
}

#[tokio::test]
async fn request_in_flight_is_finished_and_its_connection_closed() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let (http, admin) = (activator.http_addr(), activator.admin_addr());
    let mut waiting = activator.connect().await;
    waiting.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    let mut reading = activator.connect().await;
    reading.send(get("/")).await;
    let (mut streaming, _) = backend.request().await;
    streaming
        .send("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        .await;
    reading.head().await;
    let mut checking = Client::connect(admin).await;
    let ready = "GET /readyz HTTP/1.1\r\nHost: x\r\n";
    assert_eq!(checking.ask(ready).await.status(), 200);

    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    let answer = checking.ask(ready).await;
    assert_eq!(
        (answer.status(), &*answer.body),
        (503, "not ready: shutting down\n")
    );
    let live = checking.ask("GET /livez HTTP/1.1\r\nHost: x\r\n").await;
    assert_eq!(live.status(), 200);
    assert!(!stopping.is_finished());

    connection.send(OK).await;
    let answer = waiting.message().await;
    assert_eq!(
        (&*answer.body, answer.header("connection")),
        ("ok", Some("close"))
    );
    assert!(waiting.rest().await.1.is_ok());
    streaming.send("def").await;
    assert_eq!(reading.bytes(6).await, b"abcdef");
    assert!(reading.rest().await.1.is_ok());
    stopping.await.unwrap();
    assert!(TcpStream::connect(admin).await.is_err());
}

#[tokio::test]
async fn partial_head_is_still_served() {
    let (address, _requests) = answering(OK).await;
    let activator = start(&[address]);
    let http = activator.http_addr();
    let mut client = activator.connect().await;
    client.send("GET / HT").await;
    // Connected, but not a byte yet.
    let mut silent = activator.connect().await;
    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    client.send(format!("TP/1.1\r\n{HELLO}\r\n")).await;
    let answer = client.message().await;
    assert_eq!(
        (&*answer.body, answer.header("connection")),
        ("ok", Some("close"))
    );
    silent.send(get("/")).await;
    assert_eq!(silent.message().await.body, "ok");
    stopping.await.unwrap();
}

/// Ends when somebody else does: longer than the test takes.
const LONG: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn drain_delay_serves_but_is_not_ready_and_closes_connections() {
    let (address, _requests) = answering(OK).await;
    let mut config = config(&[address]);
    config.drain_delay = LONG;
    let activator = start_with(config);
    let (http, http2) = (activator.http_addr(), activator.http2_addr().unwrap());
    let mut checking = Client::connect(activator.admin_addr()).await;
    let mut before = activator.connect().await;
    assert_eq!(before.get("/").await.body, "ok");

    let stopping = tokio::spawn(activator.stop());
    let not_ready = async {
        let ready = "GET /readyz HTTP/1.1\r\nHost: x\r\n";
        while checking.ask(ready).await.status() != 503 {}
    };
    let in_time = tokio::time::timeout(PATIENCE, not_ready).await;
    in_time.expect("it is not ready any more");

    check_last(before, &get("/"), (200, "ok")).await;
    for port in [http, http2] {
        check_last(Client::connect(port).await, &get("/"), (200, "ok")).await;
        let kubelet = "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: kube-probe/1.34\r\n\r\n";
        let not_ready = (500, "not ready: shutting down\n");
        check_last(Client::connect(port).await, kubelet, not_ready).await;
        let network =
            "GET / HTTP/1.1\r\nHost: x\r\nK-Network-Probe: probe\r\nK-Network-Hash: h\r\n\r\n";
        check_last(Client::connect(port).await, network, (200, "")).await;
    }
    assert!(!stopping.is_finished());
    stopping.abort();
    until_refused(http).await;
}

/// The response is this one, and the last of its connection.
async fn check_last(mut client: Client, request: &str, expected: (u16, &str)) {
    client.send(request).await;
    let answer = client.message().await;
    assert_eq!(answer.header("connection"), Some("close"), "{answer:?}");
    assert_eq!((answer.status(), &*answer.body), expected);
    let (rest, end) = client.rest().await;
    assert_eq!((&*rest, end.is_ok()), ("", true));
}

#[tokio::test]
async fn ports_are_closed_after_the_delay() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_delay = Duration::from_millis(20);
    config.drain_timeout = LONG;
    let activator = start_with(config);
    let (http, http2) = (activator.http_addr(), activator.http2_addr().unwrap());
    let admin = activator.admin_addr();
    let mut waiting = activator.connect().await;
    waiting.send(get("/")).await;
    let (mut connection, _) = backend.request().await;

    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    until_refused(http2).await;
    // The platform still hears that the process lives.
    let mut checking = Client::connect(admin).await;
    let live = checking.ask("GET /livez HTTP/1.1\r\nHost: x\r\n").await;
    assert_eq!(live.status(), 200);

    connection.send(OK).await;
    assert_eq!(waiting.message().await.header("connection"), Some("close"));
    stopping.await.unwrap();
}

#[tokio::test]
async fn queued_request_is_served_during_a_drain() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.revisions[0].container_concurrency = 1;
    config.drain_timeout = LONG;
    let activator = start_with(config);
    let http = activator.http_addr();
    let mut first = activator.connect().await;
    first.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    let mut queued = activator.connect().await;
    queued.send(get("/")).await;
    activator.until_in_flight(2).await;

    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    // On a connection of its own, whichever worker it is on.
    let last = OK.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    connection.send(last).await;
    drop(connection);
    assert_eq!(first.message().await.body, "ok");
    let (mut connection, _) = backend.request().await;
    connection.send(OK).await;
    let answer = queued.message().await;
    assert_eq!(
        (&*answer.body, answer.header("connection")),
        ("ok", Some("close"))
    );
    stopping.await.unwrap();
}

#[tokio::test]
async fn drain_timeout_cuts_requests() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = Duration::from_millis(200);
    let activator = start_with(config);
    let reporter = activator.reporter().clone();
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    activator.stop().await;
    assert_eq!(client.rest().await.0, "");
    assert_eq!(connection.rest().await.0, "");
    // The last report was cut after that, and has forgotten nobody who was still in flight.
    assert_eq!(reporter.in_flight(&hello()).unwrap_or(0), 0);
}

#[tokio::test]
async fn cut_response_without_a_length_ends_with_a_reset() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = Duration::from_millis(200);
    let activator = start_with(config);
    let mut client = activator.connect().await;
    client.send(format!("GET / HTTP/1.0\r\n{HELLO}\r\n")).await;
    let (mut connection, _) = backend.request().await;
    connection.send("HTTP/1.1 200 OK\r\n\r\nhalf").await;
    client.head().await;
    assert_eq!(client.bytes(4).await, b"half");
    activator.stop().await;
    let (rest, end) = client.rest().await;
    assert_eq!((&*rest, end.is_err()), ("", true));
}

#[tokio::test]
async fn drop_ends_it_at_once() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let http = activator.http_addr();
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    drop(activator);
    assert_eq!(client.rest().await.0, "");
    assert_eq!(connection.rest().await.0, "");
    until_refused(http).await;
}
