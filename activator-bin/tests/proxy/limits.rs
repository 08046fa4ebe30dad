//! What `[limits]` bounds, each as a peer meets it.

use tokio::net::TcpStream;

use crate::backend::{Backend, answering};
use crate::client::Client;
use crate::drain::until_refused;
use crate::harness::{Ask, HELLO, config};
use crate::queue::{start_with, until_line};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn get() -> String {
    format!("GET / HTTP/1.1\r\n{HELLO}")
}

#[tokio::test]
async fn clients_beyond_max_connections_wait_until_others_leave() {
    let (address, mut requests) = answering(OK).await;
    let mut config = config(&[address]);
    config.limits.max_connections = 2;
    let activator = start_with(config);
    let (http, http2) = (activator.http_addr(), activator.http2_addr().unwrap());
    let mut clients = [Client::connect(http).await, Client::connect(http2).await];
    for client in &mut clients {
        assert_eq!(client.ask(&get()).await.body, "ok");
        requests.recv().await.unwrap();
    }
    let mut further = Vec::new();
    for port in [http, http2, http, http2] {
        let mut client = Client::connect(port).await;
        client.send(get() + "\r\n").await;
        further.push(client);
    }
    // Those who are connected are served as ever.
    for _ in 0..20 {
        for client in &mut clients {
            assert_eq!(client.ask(&get()).await.body, "ok");
            requests.recv().await.unwrap();
        }
    }
    assert!(requests.is_empty(), "nobody else was served");
    until_line(&activator, "activator_client_connections 2").await;
    drop(clients);
    // Nobody knows whose turn it is, but at any time two of them can be served.
    let served = further.into_iter().map(|mut client| {
        tokio::spawn(async move { assert_eq!(client.message().await.body, "ok") })
    });
    for client in served.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    until_line(&activator, "activator_client_connections 0").await;
}

#[tokio::test]
async fn clients_that_wait_for_a_place_are_served_when_a_drain_begins() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.limits.max_connections = 1;
    let activator = start_with(config);
    let http = activator.http_addr();
    let mut first = activator.connect().await;
    first.send(get() + "\r\n").await;
    let (mut connection, _) = backend.request().await;
    let mut waiting = activator.connect().await;
    waiting.send(get() + "\r\n").await;
    assert!(backend.is_silent());

    let stopping = tokio::spawn(activator.stop());
    let (mut another, _) = backend.request().await;
    until_refused(http).await;
    for (backend, client) in [(&mut connection, first), (&mut another, waiting)] {
        backend.send(OK).await;
        check_last(client).await;
    }
    stopping.await.unwrap();
    assert!(TcpStream::connect(http).await.is_err());
}

async fn check_last(mut client: Client) {
    let answer = client.message().await;
    assert_eq!(
        (&*answer.body, answer.header("connection")),
        ("ok", Some("close"))
    );
}
