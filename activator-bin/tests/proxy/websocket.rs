//! WebSocket through the activator, with and without TLS on either side.

use activator_bin::testing::Activator;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{accept_async, client_async};

use crate::support::activator::{Ask, PATIENCE, start_with};
use crate::support::backend::Backend;
use crate::support::directory::Directory;
use crate::support::https::Files;
use crate::support::tls::{Authority, BACKEND, reaching};

/// Sends every message back until the client closes.
async fn echo(socket: impl AsyncRead + AsyncWrite + Unpin) {
    let mut peer = accept_async(socket).await.unwrap();
    while let Some(message) = peer.next().await {
        let message = message.unwrap();
        if message.is_binary() || message.is_text() {
            peer.send(message).await.unwrap();
        }
    }
}

/// Messages of all sorts of lengths, and a close.
async fn talk(socket: impl AsyncRead + AsyncWrite + Unpin, activator: &Activator) {
    let mut request = "ws://proxy/".into_client_request().unwrap();
    let headers = request.headers_mut();
    headers.insert("knative-serving-namespace", "default".parse().unwrap());
    headers.insert("knative-serving-revision", "hello".parse().unwrap());
    let (mut peer, _) = client_async(request, socket).await.unwrap();
    for size in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let message = Message::binary(vec![b'x'; size]);
        peer.send(message.clone()).await.unwrap();
        assert_eq!(peer.next().await.unwrap().unwrap(), message);
    }
    assert_eq!(activator.in_flight(), 1);
    peer.close(None).await.unwrap();
    while let Some(message) = peer.next().await {
        message.unwrap();
    }
}

async fn check(client_is_private: bool, backend_is_private: bool) {
    let (files, directory) = (Files::new(), Directory::new());
    let authority = Authority::new("the backends' authority");
    let backend = Backend::bind().await;
    let config = reaching(backend.address, &directory, &authority, Some(BACKEND));
    let mut config = files.listen(config);
    config.revisions[0].tls = backend_is_private;
    let activator = start_with(config);
    let acceptor = authority.vouch_for(BACKEND).acceptor();
    let echoing = tokio::spawn(async move {
        let socket = backend.accept().await.socket;
        match backend_is_private {
            true => echo(acceptor.accept(socket).await.unwrap()).await,
            false => echo(socket).await,
        }
    });
    let talking = async {
        match client_is_private {
            true => talk(files.connect(&activator).await.socket, &activator).await,
            false => talk(activator.connect().await.socket, &activator).await,
        }
        activator.until_in_flight(0).await;
        echoing.await.unwrap();
    };
    timeout(PATIENCE * 3, talking).await.unwrap();
}

#[tokio::test]
async fn messages_are_echoed_with_and_without_tls() {
    for client_is_private in [false, true] {
        for backend_is_private in [false, true] {
            check(client_is_private, backend_is_private).await;
        }
    }
}
