//! Requests that wait for capacity.

use std::time::Duration;

use activator_bin::testing::Config;

use crate::support::activator::{
    Ask, PATIENCE, change, config, hello, put, queue, start, start_with, until_refused,
};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{LAST, OK, get};
use crate::support::metrics::{metrics, until_line, until_metric};

fn limited(container_concurrency: u32, queue_depth: usize) -> Config {
    let mut config = config(&[]);
    config.revisions[0].container_concurrency = container_concurrency;
    config.revisions[0].queue_depth = queue_depth;
    config
}

#[tokio::test]
async fn requests_are_served_fifo_within_the_limit() {
    let activator = start_with(limited(1, 100));
    let mut clients = queue(&activator, 10).await;
    assert_eq!(activator.in_flight(), 10);
    let backend = Backend::bind().await;
    put(&activator, &[backend.address]);
    let (mut connection, mut message) = backend.request().await;
    for (index, client) in clients.iter_mut().enumerate() {
        assert_eq!(message.first_line, format!("GET /{index} HTTP/1.1"));
        assert!(backend.is_silent());
        until_metric(&activator, "active", 1).await;
        until_metric(&activator, "queued", 9 - index).await;
        connection.send(LAST).await;
        assert_eq!(client.message().await.body, "ok");
        if index < 9 {
            (connection, message) = backend.request().await;
        }
    }
    activator.until_in_flight(0).await;
    until_metric(&activator, "active", 0).await;
    until_line(&activator, "activator_queue_wait_seconds_count 10").await;
}

#[tokio::test]
async fn capacity_is_that_of_all_backends() {
    let activator = start_with(limited(2, 100));
    let mut clients = queue(&activator, 6).await;
    let backends = [Backend::bind().await, Backend::bind().await];
    put(&activator, &[backends[0].address, backends[1].address]);
    let mut connections = Vec::new();
    for backend in &backends {
        for _ in 0..2 {
            connections.push(backend.request().await.0);
        }
    }
    until_metric(&activator, "active", 4).await;
    until_metric(&activator, "queued", 2).await;
    assert!(backends.iter().all(Backend::is_silent));
    for connection in &mut connections[1..3] {
        connection.send(LAST).await;
    }
    for backend in &backends {
        connections.push(backend.request().await.0);
    }
    for connection in [0, 3, 4, 5] {
        connections[connection].send(OK).await;
    }
    for client in &mut clients {
        assert_eq!(client.message().await.body, "ok");
    }
}

#[tokio::test]
async fn slot_is_held_until_the_response_ends() {
    let activator = start_with(limited(1, 2));
    let mut clients = queue(&activator, 2).await;
    let backend = Backend::bind().await;
    put(&activator, &[backend.address]);
    let (mut first, _) = backend.request().await;
    first
        .send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\no")
        .await;
    clients[0].head().await;
    assert_eq!(clients[0].bytes(1).await, b"o");
    until_metric(&activator, "active", 1).await;
    until_metric(&activator, "queued", 1).await;
    assert!(backend.is_silent());
    first.send("k").await;
    let (mut second, _) = backend.request().await;
    second.send(OK).await;
    assert_eq!(clients[1].message().await.body, "ok");
}

async fn check_full(config: Config, room: usize, reason: &str) {
    let activator = start_with(config);
    let mut waiting = queue(&activator, room).await;
    let mut client = activator.connect().await;
    for _ in 0..2 {
        client.send(get("/")).await;
        let answer = client.message().await;
        assert_eq!(
            (answer.status(), &*answer.body, answer.header("retry-after")),
            (503, "pending request queue full\n", Some("1"))
        );
    }
    activator.until_in_flight(room as u64).await;
    let line = format!(r#"activator_queue_rejections_total{{reason="{reason}"}} 2"#);
    until_line(&activator, &line).await;
    let (address, _requests) = answering(OK).await;
    put(&activator, &[address]);
    for client in &mut waiting {
        assert_eq!(client.message().await.status(), 200);
    }
}

#[tokio::test]
async fn full_queue_gets_503_with_retry_after() {
    check_full(limited(1, 3), 3, "queue_depth").await;
    check_full(limited(1, 0), 0, "queue_depth").await;
    let mut config = limited(1, 100);
    config.throttle.max_queued_requests = 2;
    check_full(config, 2, "max_queued_requests").await;
}

#[tokio::test]
async fn client_disconnect_leaves_the_queue() {
    let activator = start(&[]);
    let mut clients = queue(&activator, 3).await;
    drop(clients.remove(1));
    until_metric(&activator, "queued", 2).await;
    activator.until_in_flight(2).await;
    let (address, mut requests) = answering(OK).await;
    put(&activator, &[address]);
    for client in &mut clients {
        assert_eq!(client.message().await.status(), 200);
    }
    let mut paths = Vec::new();
    for _ in 0..2 {
        paths.push(requests.recv().await.unwrap().first_line);
    }
    paths.sort_unstable();
    assert_eq!(paths, ["GET /0 HTTP/1.1", "GET /2 HTTP/1.1"]);
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn removed_revision_gets_404_for_queued_requests() {
    let activator = start(&[]);
    let mut clients = queue(&activator, 3).await;
    activator.revisions().remove(&hello());
    for client in &mut clients {
        let answer = client.message().await;
        assert_eq!(
            (answer.status(), &*answer.body),
            (404, "revision default/hello was removed\n")
        );
    }
    activator.until_in_flight(0).await;
    let text = metrics(&activator).await;
    assert!(!text.contains("kn_revision_request_queued{"), "{text}");
    assert!(!text.contains("kn_revision_request_active{"), "{text}");
}

#[tokio::test]
async fn raised_limit_admits_queued_requests() {
    let activator = start_with(limited(1, 2));
    let mut clients = queue(&activator, 2).await;
    let backend = Backend::bind().await;
    put(&activator, &[backend.address]);
    let mut connections = vec![backend.request().await.0];
    until_metric(&activator, "queued", 1).await;
    change(&activator, |config| config.container_concurrency = 2);
    connections.push(backend.request().await.0);
    for connection in &mut connections {
        connection.send(OK).await;
    }
    for client in &mut clients {
        assert_eq!(client.message().await.body, "ok");
    }
}

#[tokio::test]
async fn queued_requests_are_cut_at_the_end_of_a_drain() {
    let mut config = config(&[]);
    config.drain_timeout = Duration::from_millis(200);
    let activator = start_with(config);
    let reporter = activator.reporter().clone();
    let mut clients = queue(&activator, 3).await;
    let stopped = tokio::time::timeout(PATIENCE, activator.stop()).await;
    assert!(stopped.is_ok());
    for client in &mut clients {
        assert_eq!(client.rest().await.0, "");
    }
    assert_eq!(reporter.in_flight(&hello()).unwrap_or(0), 0);
}

#[tokio::test]
async fn queued_requests_are_served_during_a_drain() {
    let activator = start_with(limited(1, 100));
    let mut clients = queue(&activator, 2).await;
    let backend = Backend::bind().await;
    put(&activator, &[backend.address]);
    let (mut first, _) = backend.request().await;
    let http = activator.http_addr();
    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    first.send(LAST).await;
    let (mut second, _) = backend.request().await;
    second.send(LAST).await;
    for client in &mut clients {
        assert_eq!(client.message().await.body, "ok");
    }
    stopping.await.unwrap();
}
