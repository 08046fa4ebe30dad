//! Instances that listen on unix sockets.

use std::net::Ipv6Addr;
use std::path::Path;

use activator_bin::testing::{Place, Protocol};
use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{accept_async, client_async};

use super::Scene;
use crate::support::activator::{Ask, PATIENCE, change};
use crate::support::directory::Directory;
use crate::support::http1::{Client, HELLO, LAST, OK, get};
use crate::support::metrics::{until_counted, until_line};

/// The socket of this path, under an address that means nothing.
fn place(path: &Path, number: u16) -> Place {
    let address = Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, number);
    Place {
        address: (address, 1).into(),
        socket: Some(path.into()),
    }
}

async fn accept(listener: &UnixListener) -> Client<UnixStream> {
    let accepted = timeout(PATIENCE, listener.accept()).await;
    Client::new(accepted.expect("the proxy connects").unwrap().0)
}

#[tokio::test]
async fn requests_go_to_a_unix_socket_over_kept_connections() {
    let (scene, directory) = (Scene::new(0, |_| ()), Directory::new());
    let path = directory.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    scene.ready_at(&[place(&path, 1)]);
    let mut client = scene.activator.connect().await;
    client.send(get("/1")).await;
    let mut connection = accept(&listener).await;
    for number in 1..=3 {
        let message = connection.message().await;
        assert_eq!(message.first_line, format!("GET /{number} HTTP/1.1"));
        assert_eq!(message.header("host"), Some("proxy"));
        connection.send(if number < 3 { OK } else { LAST }).await;
        assert_eq!(client.message().await.body, "ok");
        if number < 3 {
            client.send(get(&format!("/{}", number + 1))).await;
        }
    }
    // Without a host of the client's there is none of the socket's.
    let mut old = scene.activator.connect().await;
    let head = HELLO.replace("Host: proxy\r\n", "");
    old.send(format!("GET / HTTP/1.0\r\n{head}\r\n")).await;
    let mut connection = accept(&listener).await;
    assert_eq!(connection.message().await.header("host"), Some("localhost"));
    connection.send(OK).await;
    assert_eq!(old.head().await.status(), 200);
}

#[tokio::test]
async fn errors_name_the_path() {
    let (scene, directory) = (Scene::new(0, |_| ()), Directory::new());
    let path = directory.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    scene.ready_at(&[place(&path, 1)]);
    let mut client = scene.activator.connect().await;
    let post = format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: 0\r\n\r\n");
    client.send(post).await;
    let mut connection = accept(&listener).await;
    connection.message().await;
    drop(connection);
    let answer = client.message().await;
    let expected = format!(
        "revision default/hello: backend {} closed the connection before responding\n",
        path.display()
    );
    assert_eq!((answer.status(), answer.body), (502, expected));
    until_counted(&scene.activator, "backend_reset", 1).await;
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_passed_over_until_it_is() {
    let (scene, directory) = (Scene::new(1, |_| ()), Directory::new());
    let (missing, there) = (directory.path("missing"), directory.path("there"));
    let listener = UnixListener::bind(&there).unwrap();
    let serving = tokio::spawn(async move {
        let mut connection = accept(&listener).await;
        connection.message().await;
        connection.send(OK).await;
        listener
    });
    // The first is the one whose turn it is.
    scene.ready_at(&[place(&missing, 1), place(&there, 2)]);
    assert_eq!(scene.activator.connect().await.get("/").await.body, "ok");
    let _listener = serving.await.unwrap();
    until_line(
        &scene.activator,
        r#"activator_backends{state="set_aside"} 1"#,
    )
    .await;
    let late = UnixListener::bind(&missing).unwrap();
    let probed = tokio::spawn(async move {
        loop {
            let mut connection = accept(&late).await;
            if !connection.is_over().await {
                connection.message().await;
                connection.send(OK).await;
                return;
            }
        }
    });
    until_line(&scene.activator, r#"activator_backends{state="ready"} 2"#).await;
    assert_eq!(scene.activator.connect().await.get("/").await.body, "ok");
    probed.await.unwrap();
}

#[tokio::test]
async fn http2_goes_to_a_unix_socket() {
    let (scene, directory) = (Scene::new(0, |_| ()), Directory::new());
    let path = directory.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    change(&scene.activator, |spec| spec.protocol = Protocol::H2c);
    scene.ready_at(&[place(&path, 1)]);
    let serving = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(socket).await.unwrap();
        while let Some(accepted) = connection.accept().await {
            let (request, mut respond) = accepted.unwrap();
            assert_eq!(request.uri().host(), Some("proxy"));
            let mut sender = respond
                .send_response(http::Response::new(()), false)
                .unwrap();
            sender.send_data(Bytes::from_static(b"ok"), true).unwrap();
        }
    });
    let mut client = scene.activator.connect().await;
    for _ in 0..2 {
        let answer = client.get("/").await;
        assert_eq!((answer.status(), &*answer.body), (200, "ok"));
    }
    drop(scene.activator);
    timeout(PATIENCE, serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_websocket_goes_to_a_unix_socket() {
    let (scene, directory) = (Scene::new(0, |_| ()), Directory::new());
    let path = directory.path("socket");
    let listener = UnixListener::bind(&path).unwrap();
    scene.ready_at(&[place(&path, 1)]);
    let echoing = tokio::spawn(async move {
        let mut peer = accept_async(accept(&listener).await.socket).await.unwrap();
        while let Some(Ok(message)) = peer.next().await {
            if message.is_binary() {
                peer.send(message).await.unwrap();
            }
        }
    });
    let mut request = "ws://proxy/".into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("knative-serving-namespace", "default".parse().unwrap());
    headers.insert("knative-serving-revision", "hello".parse().unwrap());
    let socket = scene.activator.connect().await.socket;
    let (mut peer, _) = client_async(request, socket).await.unwrap();
    for size in [0, 125, 65_536, 1 << 20] {
        let message = Message::binary(vec![b'x'; size]);
        peer.send(message.clone()).await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), message);
    }
    assert_eq!(scene.counted(), Some(1));
    peer.close(None).await.unwrap();
    while let Some(Ok(_)) = peer.next().await {}
    drop(peer);
    timeout(PATIENCE, echoing).await.unwrap().unwrap();
    scene.activator.until_in_flight(0).await;
}
