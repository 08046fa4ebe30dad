//! Backends that are not ready, or not any more: requests go elsewhere or wait.

use std::time::Duration;

use activator_bin::testing::Probe;

use crate::support::activator::{Ask, change, config, put, queue, start, start_with};
use crate::support::backend::{Backend, FullListener, answering};
use crate::support::http1::{HELLO, OK, get};
use crate::support::metrics::{until_line, until_metric};

#[tokio::test]
async fn requests_for_a_dead_backend_go_to_another() {
    let dead = Backend::bind().await.address;
    let (alive, mut requests) = answering(OK).await;
    let activator = start(&[dead, alive]);
    let mut client = activator.connect().await;
    for index in 0..50 {
        client.send(get(&format!("/{index}"))).await;
        assert_eq!(client.message().await.status(), 200);
        let request = requests.recv().await.unwrap();
        assert_eq!(request.header("host"), Some(&*alive.to_string()));
        assert_eq!(request.header("k-original-host"), Some("proxy"));
    }
    until_line(&activator, r#"activator_backends{state="set_aside"} 1"#).await;
    until_line(&activator, r#"activator_backends{state="ready"} 1"#).await;
}

#[tokio::test]
async fn request_waits_until_its_only_backend_is_back() {
    let address = Backend::bind().await.address;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    client
        .send(format!(
            "POST / HTTP/1.1\r\n{HELLO}Content-Length: 3\r\n\r\nabc"
        ))
        .await;
    until_line(&activator, r#"activator_backends{state="set_aside"} 1"#).await;
    until_metric(&activator, "queued", 1).await;
    let backend = Backend::bind_to(address).await;
    // First the probe's connection, then the request's.
    let probe = backend.accept().await;
    let (mut connection, request) = backend.request().await;
    drop(probe);
    assert_eq!(request.body, "abc");
    connection.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
    until_line(&activator, r#"activator_backends{state="ready"} 1"#).await;
    until_line(
        &activator,
        r#"activator_backend_probes_total{outcome="ok"} 1"#,
    )
    .await;
}

#[tokio::test]
async fn connect_timeout_goes_to_another_backend() {
    let full = FullListener::new().await;
    let mut config = config(&[full.address]);
    config.limits.connect_timeout = Duration::from_millis(100);
    let activator = start_with(config);
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    until_line(&activator, r#"activator_backends{state="set_aside"} 1"#).await;
    let (alive, _requests) = answering(OK).await;
    put(&activator, &[full.address, alive]);
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn backend_gets_no_request_before_its_probe_passes() {
    let mut config = config(&[]);
    config.revisions[0].probe = Probe::Knative;
    let activator = start_with(config);
    let mut clients = queue(&activator, 1).await;
    let backend = Backend::bind().await;
    put(&activator, &[backend.address]);
    until_line(&activator, r#"activator_backends{state="probing"} 1"#).await;
    for answer in ["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", OK] {
        let (mut connection, probe) = backend.request().await;
        assert_eq!(probe.first_line, "GET /healthz HTTP/1.1");
        connection.send(answer).await;
    }
    let (mut connection, _) = backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nqueue")
        .await;
    let (mut connection, request) = backend.request().await;
    assert_eq!(request.first_line, "GET /0 HTTP/1.1");
    connection.send(OK).await;
    assert_eq!(clients[0].message().await.body, "ok");
}

#[tokio::test]
async fn tcp_probe_needs_a_connection_that_stays_open() {
    let mut config = config(&[]);
    config.revisions[0].probe = Probe::Tcp;
    let activator = start_with(config);
    let mut clients = queue(&activator, 1).await;
    let backend = Backend::bind().await;
    put(&activator, &[backend.address]);
    for _ in 0..3 {
        drop(backend.accept().await);
    }
    let probe = backend.accept().await;
    let (mut connection, request) = backend.request().await;
    assert_eq!(request.first_line, "GET /0 HTTP/1.1");
    drop(probe);
    connection.send(OK).await;
    assert_eq!(clients[0].message().await.body, "ok");
    until_line(
        &activator,
        r#"activator_backend_probes_total{outcome="refused"} 3"#,
    )
    .await;
}

#[tokio::test]
async fn changed_probe_applies_to_unready_backends() {
    let mut config = config(&[]);
    config.revisions[0].probe = Probe::Knative;
    let activator = start_with(config);
    let mut clients = queue(&activator, 1).await;
    let (address, _requests) = answering(OK).await;
    put(&activator, &[address]);
    until_line(&activator, r#"activator_backends{state="probing"} 1"#).await;
    change(&activator, |config| config.probe = Probe::None);
    assert_eq!(clients[0].message().await.body, "ok");
}

#[tokio::test]
async fn removed_backend_gets_no_more_requests() {
    let (before, mut to_before) = answering(OK).await;
    let activator = start(&[before]);
    let mut client = activator.connect().await;
    client.send(get("/0")).await;
    assert_eq!(client.message().await.status(), 200);
    put(&activator, &[]);
    until_line(&activator, r#"activator_backends{state="ready"} 0"#).await;
    client.send(get("/1")).await;
    until_metric(&activator, "queued", 1).await;
    let (now, mut to_now) = answering(OK).await;
    put(&activator, &[now]);
    assert_eq!(client.message().await.status(), 200);
    assert_eq!(
        to_before.recv().await.unwrap().first_line,
        "GET /0 HTTP/1.1"
    );
    assert_eq!(to_now.recv().await.unwrap().first_line, "GET /1 HTTP/1.1");
    assert!(to_before.try_recv().is_err());
}
