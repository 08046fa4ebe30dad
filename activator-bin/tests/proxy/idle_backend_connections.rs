//! Idle connections to backends: how many are kept, and when they are closed at once.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::support::activator::{Ask, config, hello, put, start, start_with};
use crate::support::backend::Backend;
use crate::support::http1::{Client, OK, get};
use crate::support::http2::{Http2Backend, Http2Client};

/// Has as many requests served at once by connections of their own, one after the other; these are idle then.
async fn idle(backend: &Backend, client_count: usize, proxy: SocketAddr) -> Vec<Client> {
    let mut clients = Vec::new();
    let mut connections = Vec::new();
    for _ in 0..client_count {
        let mut client = Client::connect(proxy).await;
        client.send(get("/")).await;
        clients.push(client);
        connections.push(backend.request().await.0);
    }
    for (connection, client) in connections.iter_mut().zip(&mut clients) {
        connection.send(OK).await;
        assert_eq!(client.message().await.status(), 200);
    }
    connections
}

#[tokio::test]
async fn removed_backends_idle_connections_are_closed() {
    let (before, other) = (Backend::bind().await, Backend::bind().await);
    let activator = start(&[before.address]);
    // So many that both workers have some.
    let connections = idle(&before, 8, activator.http_addr()).await;
    put(&activator, &[other.address]);
    for mut connection in connections {
        assert!(connection.is_over().await);
    }
    let connections = idle(&other, 2, activator.http_addr()).await;
    activator.revisions().remove(&hello());
    for mut connection in connections {
        assert!(connection.is_over().await);
    }
}

#[tokio::test]
async fn removed_backends_busy_connection_is_closed_after_its_response() {
    let (before, other) = (Backend::bind().await, Backend::bind().await);
    let activator = start(&[before.address]);
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    let (mut connection, _) = before.request().await;
    put(&activator, &[other.address]);
    connection.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
    assert!(connection.is_over().await);
}

#[tokio::test]
async fn removed_backends_http2_connection_is_closed() {
    let mut before = Http2Backend::bind().await;
    let other = Backend::bind().await;
    let activator = start(&[before.address]);
    let client = Http2Client::connect(&activator).await;
    let (response, ()) = tokio::join!(client.get("/"), async {
        before.request().await.finish("ok");
    });
    assert_eq!(response.status(), 200);
    drop(response);
    activator.until_in_flight(0).await;
    put(&activator, &[other.address]);
    before.until_closed().await;
}

#[tokio::test]
async fn oldest_is_closed_beyond_the_limit() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.workers = 1;
    config.limits.max_backend_idle_connections = 2;
    let activator = start_with(config);
    let mut client = activator.connect().await;
    let mut connections = idle(&backend, 3, activator.http_addr()).await;
    assert!(connections.remove(0).is_over().await);
    // The other two are used for what comes then.
    client.send(get("/")).await;
    let mut newest = connections.pop().unwrap();
    newest.message().await;
    newest.send(OK).await;
    assert_eq!(client.message().await.status(), 200);
}

#[tokio::test]
async fn single_connection_backend_serves_all_workers() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&[listener.local_addr().unwrap()]);
    config.revisions[0].container_concurrency = 1;
    let activator = start_with(config);
    tokio::spawn(async move {
        loop {
            let mut connection = Client::new(listener.accept().await.unwrap().0);
            while !connection.is_over().await {
                connection.message().await;
                connection.send(OK).await;
            }
        }
    });
    // So many that both workers have some.
    let mut clients = Vec::new();
    for _ in 0..12 {
        clients.push(activator.connect().await);
    }
    for _ in 0..3 {
        for client in &mut clients {
            client.send(get("/")).await;
            assert_eq!(client.message().await.status(), 200);
        }
    }
}
