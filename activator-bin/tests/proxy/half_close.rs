//! Clients that close their side behind their requests and wait for the responses.

use tokio::io::AsyncWriteExt;

use crate::support::activator::{Ask, scene, start};
use crate::support::backend::Backend;
use crate::support::http1::{Client, HELLO, OK, get};

async fn half_closed(client: &mut Client, requests: &str) {
    client.send(requests).await;
    client.socket.shutdown().await.unwrap();
}

#[tokio::test]
async fn responses_arrive_after_a_half_close() {
    let get = get("/");
    let post = format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: 5\r\n\r\nhello");
    for (requests, count) in [(&get, 1), (&post, 1), (&(post.clone() + &get), 2)] {
        let (backend, activator, mut client) = scene().await;
        half_closed(&mut client, requests).await;
        for _ in 0..count {
            let (mut connection, _) = backend.request().await;
            connection
                .send("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                .await;
            assert_eq!(client.head().await.status(), 200);
            // In pieces.
            connection.send("ok").await;
            assert_eq!(client.until(b"ok\r\n").await, b"2\r\nok\r\n");
            drop(connection);
            assert_eq!(client.until(b"0\r\n\r\n").await, b"0\r\n\r\n");
        }
        let (rest, end) = client.rest().await;
        assert_eq!((&*rest, end.is_ok()), ("", true));
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn waiting_client_is_sent_a_100_as_a_sign_of_life() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut old = activator.connect().await;
    half_closed(&mut old, &format!("GET / HTTP/1.0\r\n{HELLO}\r\n")).await;
    let (mut to_old, _) = backend.request().await;
    let mut client = activator.connect().await;
    half_closed(&mut client, &get("/")).await;
    let (mut connection, _) = backend.request().await;
    assert_eq!(client.head().await.first_line, "HTTP/1.1 100 Continue");
    assert_eq!(activator.in_flight(), 2);
    to_old.send(OK).await;
    connection.send(OK).await;
    assert_eq!(client.message().await.status(), 200);
    assert!(client.rest().await.1.is_ok());
    assert_eq!(old.message().await.status(), 200);
    assert!(old.rest().await.1.is_ok());
}

#[tokio::test]
async fn half_a_request_gets_no_response() {
    let (backend, activator, mut client) = scene().await;
    let head =
        format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    half_closed(&mut client, &head).await;
    let mut connection = backend.accept().await;
    connection.head().await;
    assert_eq!(connection.rest().await.0, "");
    activator.until_in_flight(0).await;
}
