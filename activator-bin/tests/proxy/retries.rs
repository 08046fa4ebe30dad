//! Requests that a backend closes its connection on: which are sent again, where, and what the client is told of others.

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::activator::{Ask, scene, start};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{HELLO, OK, get};
use crate::support::metrics::until_line;

fn post() -> String {
    format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: 3\r\n\r\nabc")
}

/// A backend that closes each connection at once, until it is told to be up; then it keeps them and says nothing.
async fn closing() -> (SocketAddr, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (up, mut is_up) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                accepted = listener.accept() => drop(accepted),
                _ = is_up.recv() => break,
            }
        }
    });
    (address, up)
}

#[tokio::test]
async fn idempotent_requests_survive_closed_connections() {
    let (backend, activator, mut client) = scene().await;
    client.send(get("/first")).await;
    let (mut connection, _) = backend.request().await;
    connection.send(OK).await;
    assert_eq!(client.message().await.status(), 200);
    for index in 0..10 {
        client.send(get(&format!("/{index}"))).await;
        // It has read the request, and closes.
        connection.message().await;
        drop(connection);
        let request;
        (connection, request) = backend.request().await;
        assert_eq!(request.first_line, format!("GET /{index} HTTP/1.1"));
        assert_eq!(request.header("k-original-host"), Some("proxy"));
        connection
            .send("HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n")
            .await;
        let hint = client.head().await;
        assert_eq!((hint.status(), hint.header("link")), (103, Some("a")));
        connection.send(OK).await;
        assert_eq!(client.message().await.status(), 200);
    }
    client.send(post().replace("POST", "PUT")).await;
    connection.message().await;
    drop(connection);
    let request;
    (connection, request) = backend.request().await;
    assert_eq!(request.body, "abc");
    connection.send(OK).await;
    assert_eq!(client.message().await.status(), 200);
    client.send(post()).await;
    connection.message().await;
    drop(connection);
    assert_eq!(client.message().await.status(), 502);
    assert!(backend.is_silent());
    until_line(&activator, r#"activator_backends{state="ready"} 1"#).await;
}

#[tokio::test]
async fn closing_backend_does_not_affect_another() {
    let (closing, _up) = closing().await;
    let (alive, _requests) = answering(OK).await;
    let activator = start(&[closing, alive]);
    let mut client = activator.connect().await;
    for index in 0..30 {
        client.send(get(&format!("/{index}"))).await;
        assert_eq!(client.message().await.status(), 200);
    }
}

#[tokio::test]
async fn request_waits_until_its_only_backend_is_up() {
    let (address, up) = closing().await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    until_line(&activator, r#"activator_backends{state="set_aside"} 1"#).await;
    up.send(()).await.unwrap();
    up.closed().await;
    let backend = Backend::bind_to(address).await;
    let answering = async {
        loop {
            let mut connection = backend.accept().await;
            // A probe says nothing.
            if !connection.is_over().await {
                connection.message().await;
                connection.send(OK).await;
                break connection;
            }
        }
    };
    let _connection = answering.await;
    assert_eq!(client.message().await.body, "ok");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn post_is_not_retried_and_its_backend_is_set_aside() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    client.send(post()).await;
    drop(backend.request().await);
    let refused = client.message().await;
    let text = format!(
        "revision default/hello: backend {} closed the connection before responding\n",
        backend.address
    );
    assert_eq!((refused.status(), refused.body), (502, text));
    // It takes the probe's connection, and is back.
    let _probe = backend.accept().await;
    until_line(&activator, r#"activator_backends{state="ready"} 1"#).await;
}
