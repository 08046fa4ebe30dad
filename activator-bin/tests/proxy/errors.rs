//! Every request that does not end as its backend meant is counted once, by its reason.

use std::time::Duration;

use tokio::net::TcpListener;

use crate::support::activator::{Ask, change, config, hello, put, queue, start, start_with};
use crate::support::backend::{Backend, answering};
use crate::support::directory::Directory;
use crate::support::http1::{HELLO, OK, get};
use crate::support::http2::{Http2Client, read};
use crate::support::metrics::{series, until_counted, until_measured};
use crate::support::tls::{Authority, reaching};

mod cut_responses;

/// A request with this head is refused so, for this reason.
async fn check_refused(head: &str, status: u16, reason: &str) {
    let activator = start(&[]);
    let mut client = activator.connect().await;
    let answer = client.ask(head).await;
    assert_eq!(answer.status(), status, "{reason}");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    until_counted(&activator, reason, 1).await;
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let get = "GET / HTTP/1.1\r\n";
    check_refused(&format!("{get}Host: nobody\r\n"), 404, "revision_unknown").await;
    check_refused(get, 400, "bad_request").await;
    check_refused("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n", 502, "connect").await;
    check_refused(&format!("{get}Host : a\r\n"), 400, "bad_request").await;
    let long = "x".repeat(70_000);
    let long = format!("{get}X-Long: {long}\r\n");
    check_refused(&long, 431, "header_too_large").await;
    let gzip = format!("POST / HTTP/1.1\r\n{HELLO}Transfer-Encoding: gzip, chunked\r\n");
    check_refused(&gzip, 501, "not_supported").await;
    let mut config = config(&[]);
    config.revisions[0].queue_depth = 0;
    let activator = start_with(config);
    let mut client = activator.connect().await;
    assert_eq!(client.get("/").await.status(), 503);
    until_counted(&activator, "queue_full", 1).await;
}

/// The backend answers so and closes.
async fn check_backend(answer: &str, status: u16, reason: &str) {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    client.send(format!("POST / HTTP/1.1\r\n{HELLO}\r\n")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(answer).await;
    drop(connection);
    assert_eq!(client.head().await.status(), status);
    until_counted(&activator, reason, 1).await;
}

#[tokio::test]
async fn backend_failures_are_counted_by_reason() {
    check_backend("", 502, "backend_reset").await;
    check_backend("SSH-2.0\r\n\r\n", 502, "backend_bad_response").await;
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc";
    check_backend(cut, 200, "backend_reset").await;
}

#[tokio::test]
async fn client_disconnects_are_counted() {
    let backend = Backend::bind().await;
    let activator = start(&[]);
    drop(queue(&activator, 1).await);
    until_counted(&activator, "client_gone", 1).await;
    put(&activator, &[backend.address]);
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc")
        .await;
    client.head().await;
    drop(client);
    until_counted(&activator, "client_gone", 2).await;
}

#[tokio::test]
async fn timeouts_are_counted_but_not_probes_or_good_responses() {
    let (address, _requests) = answering(OK).await;
    let activator = start(&[address]);
    for head in ["GET", "HEAD"] {
        let mut client = activator.connect().await;
        client
            .send(format!("{head} / HTTP/1.1\r\n{HELLO}\r\n"))
            .await;
        assert_eq!(client.head().await.status(), 200);
    }
    activator.until_in_flight(0).await;
    let probe = "GET / HTTP/1.1\r\nHost: a\r\nK-Network-Probe: wrong\r\n";
    assert_eq!(activator.connect().await.ask(probe).await.status(), 400);
    change(&activator, |config| {
        config.backends.clear();
        config.timeouts.response_start = Some(Duration::from_millis(50));
    });
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    assert_eq!(client.message().await.status(), 504);
    until_counted(&activator, "response_start_timeout", 1).await;
}

/// Asks in both protocols for something of a backend that takes connections and no more.
async fn check_silent(tls: bool) {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = silent.local_addr().unwrap();
    let (authority, directory) = (Authority::new("ours"), Directory::new());
    let mut config = reaching(backend, &directory, &authority, None);
    config.revisions[0].tls = tls;
    config.limits.connect_timeout = Duration::from_millis(100);
    let activator = start_with(config);
    let expected = format!(
        "revision default/hello: backend {backend} accepted the connection but did not respond in time\n"
    );
    let mut answer = Http2Client::connect(&activator).await.get("/").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(read(answer.body_mut()).await.0, expected);
    until_counted(&activator, "backend_timeout", 1).await;
    // Without TLS there is nothing in HTTP/1.1 that a server would say first.
    if tls {
        let mut client = activator.connect().await;
        client.send(get("/")).await;
        let answer = client.message().await;
        assert_eq!((answer.status(), answer.body), (502, expected));
        until_counted(&activator, "backend_timeout", 2).await;
    }
}

#[tokio::test]
async fn silent_backend_times_out_and_is_named() {
    check_silent(false).await;
    check_silent(true).await;
}

#[tokio::test]
async fn every_request_is_measured_but_no_probe() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    let probe = "GET / HTTP/1.1\r\nHost: a\r\nK-Network-Probe: activator\r\n";
    assert_eq!(client.ask(probe).await.status(), 200);
    let nobody = "BREW / HTTP/1.1\r\nHost: nobody\r\n";
    assert_eq!(client.ask(nobody).await.status(), 404);
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(OK).await;
    assert_eq!(client.message().await.status(), 200);
    client.send(get("/")).await;
    connection.message().await;
    connection
        .send("HTTP/1.1 201 Created\r\ncontent-length: 4\r\n\r\nabc")
        .await;
    drop(connection);
    assert_eq!(client.rest().await.0.split("\r\n").last(), Some("abc"));
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let _connection = backend.request().await;
    drop(client);
    let expected = [
        series("GET", "", "client_gone", true, 1),
        series("GET", "200", "", true, 1),
        series("GET", "201", "backend_reset", true, 1),
        series("_OTHER", "404", "revision_unknown", false, 1),
    ];
    let admin = activator.admin_addr();
    until_measured(admin, &expected).await;
    activator.revisions().remove(&hello());
    until_measured(admin, &expected[3..]).await;
}
