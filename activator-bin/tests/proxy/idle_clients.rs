//! Idle clients: who makes room for whom, and who is left alone.

use activator_bin::testing::Activator;
use http::Request;

use crate::support::activator::{Ask, config, start_with};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{Client, HELLO, LAST, OK, get};
use crate::support::http2::{Http2Client, patiently};
use crate::support::metrics::until_line;

/// An upload that goes on.
fn upload() -> String {
    format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: 6\r\n\r\nabc")
}

async fn start(most: usize) -> Activator {
    let mut config = config(&[answering(OK).await.0]);
    config.limits.max_connections = most;
    start_with(config)
}

/// One that has had a response.
async fn idle(activator: &Activator) -> Client {
    let mut client = activator.connect().await;
    assert_eq!(client.get("/").await.body, "ok");
    client
}

#[tokio::test]
async fn clients_wait_at_max_connections() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.limits.max_connections = 2;
    let activator = start_with(config);
    let (http, http2) = (activator.http_addr(), activator.http2_addr().unwrap());
    let mut busy = Vec::new();
    for port in [http, http2] {
        let mut client = Client::connect(port).await;
        client.send(get("/")).await;
        busy.push((client, backend.request().await.0));
    }
    let mut further = Vec::new();
    for port in [http, http2, http, http2] {
        let mut client = Client::connect(port).await;
        client.send(get("/")).await;
        further.push(client);
    }
    until_line(&activator, "activator_client_connections 2").await;
    assert!(backend.is_silent(), "nobody else is served");
    let (mut leaving, mut exchange) = busy.pop().unwrap();
    exchange.send(LAST).await;
    assert_eq!(leaving.message().await.body, "ok");
    // Nobody knows whose turn it is, but one after the other has the place of whoever is idle by then.
    for _ in 0..further.len() {
        let (mut exchange, _) = backend.request().await;
        exchange.send(LAST).await;
    }
    for mut client in further {
        assert_eq!(client.message().await.body, "ok");
    }
    assert!(leaving.rest().await.1.is_ok());
    let (mut client, mut exchange) = busy.pop().unwrap();
    exchange.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn longest_idle_client_is_closed_for_a_newcomer() {
    let activator = start(10).await;
    // The first ones to come are not idle: one has begun a head, one is sending a body.
    let (mut head, mut body) = (idle(&activator).await, activator.connect().await);
    head.send("GET / HT").await;
    body.send(upload()).await;
    activator.until_in_flight(1).await;
    let mut clients = Vec::new();
    for _ in 0..8 {
        clients.push(idle(&activator).await);
    }
    // It was the first of them, and is no more.
    assert_eq!(clients[0].get("/").await.body, "ok");
    let mut further = Vec::new();
    for _ in 0..3 {
        further.push(idle(&activator).await);
    }
    for (index, client) in clients.iter_mut().enumerate() {
        match index {
            1..=3 => {
                let (rest, end) = client.rest().await;
                assert_eq!((&*rest, end.is_ok()), ("", true), "{index}");
            }
            _ => assert!(!client.is_closed(), "{index}"),
        }
    }
    head.send(format!("TP/1.1\r\n{HELLO}\r\n")).await;
    assert_eq!(head.message().await.body, "ok");
    body.send("def").await;
    assert_eq!(body.message().await.body, "ok");
}

#[tokio::test]
async fn silent_client_is_closed_for_a_newcomer() {
    let activator = start(1).await;
    let mut silent = activator.connect().await;
    until_line(&activator, "activator_client_connections 1").await;
    idle(&activator).await;
    let (rest, end) = silent.rest().await;
    assert_eq!((&*rest, end.is_ok()), ("", true));
}

#[tokio::test]
async fn idle_http2_client_is_sent_goaway_for_a_newcomer() {
    let activator = start(2).await;
    let mut busy = activator.connect().await;
    busy.send(upload()).await;
    activator.until_in_flight(1).await;
    let mut client = Http2Client::connect(&activator).await;
    let nobodys = Request::get("http://nobody/").body(()).unwrap();
    let (response, _) = client.send(nobodys, true).await;
    assert_eq!(patiently(response).await.unwrap().status(), 404);
    idle(&activator).await;
    let end = patiently(&mut client.driver).await.unwrap();
    assert!(end.is_ok(), "{end:?}");
    busy.send("def").await;
    assert_eq!(busy.message().await.body, "ok");
}
