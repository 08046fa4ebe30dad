//! What `[limits]` bounds, each as a peer meets it.

use activator_bin::testing::Activator;
use http::{Request, Response};
use tokio::net::TcpStream;

use crate::support::activator::{Ask, config, start_with, until_refused};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{Client, HELLO, OK, get};
use crate::support::http2::{Http2Backend, Http2Client, patiently, read, request};
use crate::support::metrics::until_counted;

#[tokio::test]
async fn clients_waiting_at_the_limit_are_served_in_a_drain() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.limits.max_connections = 1;
    let activator = start_with(config);
    let http = activator.http_addr();
    let mut first = activator.connect().await;
    first.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    let mut waiting = activator.connect().await;
    waiting.send(get("/")).await;
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

/// In front of `backend`, with so many headers allowed.
fn start_with_headers(backend: std::net::SocketAddr, most: usize) -> Activator {
    let mut config = config(&[backend]);
    config.limits.max_headers = most;
    start_with(config)
}

/// So many lines of a head, all different.
fn lines(count: usize) -> String {
    (0..count)
        .map(|index| format!("X-{index}: x\r\n"))
        .collect()
}

/// Those that choose the revision.
const OWN: usize = 3;

/// Below what hyper allows by itself, as much, and more.
const MOST: [usize; 3] = [20, 100, 300];

#[tokio::test]
async fn max_headers_of_requests() {
    for most in MOST {
        let (address, mut requests) = answering(OK).await;
        let activator = start_with_headers(address, most);
        let mut client = activator.connect().await;
        let head = |count| format!("GET / HTTP/1.1\r\n{HELLO}{}", lines(count - OWN));
        assert_eq!(client.ask(&head(most)).await.status(), 200);
        requests.recv().await.unwrap();
        let answer = client.ask(&head(most + 1)).await;
        assert_eq!(
            (answer.status(), answer.header("connection")),
            (431, Some("close"))
        );
        assert!(answer.body.contains(&most.to_string()), "{answer:?}");
        assert!(client.rest().await.1.is_ok());
        until_counted(&activator, "header_too_large", 1).await;
        assert!(requests.is_empty());
    }
}

#[tokio::test]
async fn max_headers_of_responses() {
    for most in MOST {
        let backend = Backend::bind().await;
        let activator = start_with_headers(backend.address, most);
        let answer = |count| format!("HTTP/1.1 204 No Content\r\n{}\r\n", lines(count));
        for (count, status) in [(most, 204), (most + 1, 502)] {
            let mut client = activator.connect().await;
            client.send(get("/")).await;
            let (mut connection, _) = backend.request().await;
            connection.send(answer(count)).await;
            assert_eq!(client.message().await.status(), status, "{count}");
        }
        until_counted(&activator, "backend_bad_response", 1).await;
    }
}

#[tokio::test]
async fn max_headers_over_http2() {
    let mut backend = Http2Backend::bind().await;
    let activator = start_with_headers(backend.address, 20);
    let client = Http2Client::connect(&activator).await;
    let with = |count: usize| {
        let (mut head, ()) = request("GET", "/").into_parts();
        for index in head.headers.len()..count {
            let name: http::HeaderName = format!("x-{index}").parse().unwrap();
            head.headers.insert(name, "x".parse().unwrap());
        }
        Request::from_parts(head, ())
    };
    let (response, _) = client.send(with(21), true).await;
    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.status(), 431);
    let text = read(response.body_mut()).await.0;
    assert_eq!(text, "the request has 21 headers; the limit is 20\n");

    for (count, status) in [(20, 200), (21, 502)] {
        let (response, _) = client.send(with(20), true).await;
        let mut exchange = backend.request().await;
        let mut answer = Response::new(());
        *answer.headers_mut() = with(count).headers().clone();
        exchange.respond.send_response(answer, true).unwrap();
        assert_eq!(patiently(response).await.unwrap().status(), status);
    }
}
