//! The ends of requests, as their spans show them.

use super::{Scene, outcomes};
use crate::begun::begun;
use crate::support::activator::Ask;
use crate::support::http1::{HELLO, get};
use crate::support::upgrade::switched;

#[tokio::test]
async fn a_span_ends_when_its_client_disconnects() {
    let scene = Scene::start(1.0).await;
    // Before the response begins.
    let mut client = scene.activator.connect().await;
    client.send(get("/a")).await;
    let (_connection, _) = scene.backend.request().await;
    client.socket.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(
        outcomes(&scene.trace().await),
        [
            "Server GET - client_gone true",
            "Client GET - client_gone true"
        ]
    );

    // In the response.
    let (client, _connection) = begun(&scene.activator, &scene.backend, "/b").await;
    scene.no_more();
    client.socket.set_zero_linger().unwrap();
    drop(client);
    assert_eq!(
        outcomes(&scene.trace().await),
        [
            "Server GET 200 client_gone true",
            "Client GET 200 client_gone true"
        ]
    );

    // The backend does.
    let (_client, connection) = begun(&scene.activator, &scene.backend, "/c").await;
    drop(connection);
    assert_eq!(
        outcomes(&scene.trace().await),
        [
            "Server GET 200 backend_reset true",
            "Client GET 200 backend_reset true"
        ]
    );
}

#[tokio::test]
async fn refused_requests_have_a_span() {
    let scene = Scene::start(1.0).await;
    let mut client = scene.activator.connect().await;
    let unknown = "BREW /a HTTP/1.1\r\nHost: [::1]:80\r\n";
    assert_eq!(client.ask(unknown).await.status(), 404);
    let trace = scene.trace().await;
    // The mistake is the client's.
    assert_eq!(outcomes(&trace), ["Server HTTP 404 revision_unknown false"]);
    let value = |name| trace.spans[0].attribute(name).cloned();
    assert_eq!(value("http.request.method"), Some("_OTHER".into()));
    assert_eq!(value("http.request.method_original"), Some("BREW".into()));
    assert_eq!(value("server.address"), Some("::1".into()));
    assert_eq!(value("server.port"), Some(80.into()));
    assert_eq!(value("kn.revision.name"), None);

    let ambiguous = format!("GET /b HTTP/1.1\r\n{HELLO}Host: two\r\n");
    assert_eq!(client.ask(&ambiguous).await.status(), 400);
    assert_eq!(
        outcomes(&scene.trace().await),
        ["Server GET 400 bad_request false"]
    );
}

#[tokio::test]
async fn an_upgraded_connection_has_its_spans_at_its_end() {
    let scene = Scene::start(1.0).await;
    let (mut client, mut connection) = switched(&scene.activator, &scene.backend).await;
    client.send("up").await;
    assert_eq!(connection.bytes(2).await, b"up");
    scene.no_more();
    drop(client);
    drop(connection);
    assert_eq!(
        outcomes(&scene.trace().await),
        ["Server GET 101 - false", "Client GET 101 - false"]
    );
}
