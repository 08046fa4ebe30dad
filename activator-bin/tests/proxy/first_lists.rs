//! Requests for revisions that are not known, while a cluster is listed for the first time.

use std::net::SocketAddr;
use std::time::Duration;

use activator_bin::testing::{Activator, Config, FirstLists, Options};
use tokio::sync::watch;

use crate::support::activator::{Ask, PATIENCE, config, hello, until};
use crate::support::backend::answering;
use crate::support::http1::{Client, HELLO, OK, get};
use crate::support::metrics::until_counted;

/// Longer than any test.
const LONG: Duration = Duration::from_secs(3600);

/// An activator that knows no revision yet, and what completes its lists.
fn start(mut config: Config, patience: Duration) -> (Activator, watch::Sender<bool>) {
    config.revisions.clear();
    let (complete, are_complete) = watch::channel(false);
    let options = Options {
        first_lists: Some(FirstLists::new(are_complete, patience)),
        ..Options::default()
    };
    (Activator::start(config, options).unwrap(), complete)
}

/// Adds `default/hello`.
fn add(activator: &Activator, backends: &[SocketAddr]) {
    activator
        .revisions()
        .put(config(backends).revisions.remove(0))
        .unwrap();
}

async fn until_held(activator: &Activator, count: usize) {
    let held = || activator.revisions().awaited() == count;
    until(&format!("{count} held"), held).await;
}

/// A client whose request `/` is held.
async fn held(activator: &Activator) -> Client {
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    until_held(activator, 1).await;
    client
}

async fn status_of(address: SocketAddr, head: &str) -> u16 {
    Client::connect(address).await.ask(head).await.status()
}

/// The statuses of `/readyz` and `/livez`, and of the kubelet's probe on the data port.
async fn health(activator: &Activator) -> (u16, u16, u16) {
    let at_admin = |path| format!("GET {path} HTTP/1.1\r\nHost: x\r\n");
    let probe = "GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: kube-probe/1.30\r\n";
    (
        status_of(activator.admin_addr(), &at_admin("/readyz")).await,
        status_of(activator.admin_addr(), &at_admin("/livez")).await,
        status_of(activator.http_addr(), probe).await,
    )
}

#[tokio::test]
async fn a_request_is_held_until_its_revision_is_known_and_then_counted() {
    let (address, mut requests) = answering(OK).await;
    let (activator, _complete) = start(config(&[]), LONG);
    let mut client = held(&activator).await;
    assert_eq!(activator.reporter().tracked_keys(), 0);
    // Known, without an instance: it is counted, and queued like any other.
    add(&activator, &[]);
    activator.until_in_flight(1).await;
    assert_eq!(activator.revisions().awaited(), 0);
    add(&activator, &[address]);
    assert_eq!(client.message().await.body, "ok");
    assert!(requests.try_recv().is_ok());
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn a_held_request_gets_404_when_the_lists_do_not_have_its_revision() {
    let (activator, complete) = start(config(&[]), LONG);
    let mut client = held(&activator).await;
    complete.send_replace(true);
    assert_eq!(client.message().await.status(), 404);
    // Later ones at once.
    assert_eq!(client.get("/").await.status(), 404);
    assert_eq!(activator.revisions().awaited(), 0);
}

#[tokio::test]
async fn a_request_that_names_no_possible_revision_is_not_held() {
    let (activator, _complete) = start(config(&[]), LONG);
    let nameless = "GET / HTTP/1.1\r\nHost: x\r\n";
    assert_eq!(status_of(activator.http_addr(), nameless).await, 404);
    let impossible = format!("{nameless}Knative-Serving-Namespace: a/b\r\n");
    let impossible = format!("{impossible}Knative-Serving-Revision: hello\r\n");
    assert_eq!(status_of(activator.http_addr(), &impossible).await, 404);
}

#[tokio::test]
async fn requests_are_held_within_the_bounds_of_the_queue() {
    let mut config = config(&[]);
    config.throttle.max_queued_requests = 1;
    let (activator, _complete) = start(config, LONG);
    let first = held(&activator).await;
    let mut second = activator.connect().await;
    let answer = second.get("/").await;
    assert_eq!(
        (answer.status(), answer.header("retry-after")),
        (503, Some("1"))
    );
    until_counted(&activator, "queue_full", 1).await;
    // A client that disconnects leaves room for another.
    drop(first);
    until_held(&activator, 0).await;
    second.send(get("/")).await;
    until_held(&activator, 1).await;
}

#[tokio::test]
async fn a_request_is_not_held_for_longer_than_the_lists_may_take() {
    let (activator, _complete) = start(config(&[]), Duration::from_millis(50));
    let mut client = activator.connect().await;
    let answer = client.get("/").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(
        answer.body,
        "the revisions of the cluster are not known yet\n"
    );
    assert_eq!(answer.header("retry-after"), Some("1"));
    until_counted(&activator, "not_listed", 1).await;
}

#[tokio::test]
async fn the_body_of_a_held_request_is_not_read() {
    let (activator, _complete) = start(config(&[]), LONG);
    let mut client = activator.connect().await;
    let head = format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: 100000000\r\n\r\n");
    client.send(head).await;
    until_held(&activator, 1).await;
    // The kernel's buffers are full, and so are ours: it returns.
    assert!(client.fill_buffers().await < 64 << 20);
    assert_eq!(activator.revisions().awaited(), 1);
}

#[tokio::test]
async fn a_drain_does_not_wait_for_held_requests_beyond_its_timeout() {
    let mut config = config(&[]);
    config.drain_timeout = Duration::from_millis(50);
    let (activator, _complete) = start(config, LONG);
    let mut client = held(&activator).await;
    let stopped = tokio::time::timeout(PATIENCE, activator.stop()).await;
    assert!(stopped.is_ok());
    drop(client.rest().await);
}

#[tokio::test]
async fn the_process_is_ready_with_the_first_lists_and_alive_without_them() {
    let (activator, complete) = start(config(&[]), LONG);
    assert_eq!(health(&activator).await, (503, 200, 500));
    complete.send_replace(true);
    assert_eq!(health(&activator).await, (200, 200, 200));
    assert!(activator.revisions().config(&hello()).is_none());
}

#[tokio::test]
async fn the_data_port_counts_as_ready_when_the_lists_take_too_long() {
    let (activator, _complete) = start(config(&[]), Duration::ZERO);
    assert_eq!(health(&activator).await, (503, 200, 200));
}
