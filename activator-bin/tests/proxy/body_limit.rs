//! How large the body of a request may be, with its length said before and without, in both protocols.

use std::net::SocketAddr;

use activator_bin::testing::Activator;
use h2::client::ResponseFuture;
use http::Request;

use crate::support::activator::{Ask, config, start_with};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{Client, HELLO, Message, OK};
use crate::support::http2::{Http2Backend, Http2Client, patiently, read, request};
use crate::support::metrics::until_counted;

/// What is allowed, and one byte more.
const MOST: &str = "0123456789";
const MORE: &str = "0123456789a";

const REASON: &str = "body_too_large";
const WHY: &str = "the request body is larger than 10 bytes\n";

fn start(backends: &[SocketAddr]) -> Activator {
    let mut config = config(backends);
    config.limits.max_request_body = Some(MOST.len() as u64);
    start_with(config)
}

fn announced(body: &str) -> String {
    let length = body.len();
    format!("POST / HTTP/1.1\r\n{HELLO}Content-Length: {length}\r\n\r\n{body}")
}

/// The head of a request whose body has no length, and the body in two pieces, without its end.
fn chunked(body: &str) -> [String; 2] {
    let chunk = |bytes: &str| format!("{:x}\r\n{bytes}\r\n", bytes.len());
    let (first, second) = body.split_at(4);
    let head = format!("POST / HTTP/1.1\r\n{HELLO}Transfer-Encoding: chunked\r\n\r\n");
    [head + &chunk(first), chunk(second)]
}

fn check_refusal(answer: &Message) {
    assert_eq!((answer.status(), &*answer.body), (413, WHY));
    assert_eq!(answer.header("connection"), Some("close"));
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn body_at_the_limit_is_forwarded() {
    let (address, mut requests) = answering(OK).await;
    let activator = start(&[address]);
    let mut client = activator.connect().await;
    for whole in [announced(MOST), chunked(MOST).concat() + "0\r\n\r\n"] {
        client.send(whole).await;
        assert_eq!(client.message().await.body, "ok");
        assert_eq!(requests.recv().await.unwrap().body, MOST);
    }
}

#[tokio::test]
async fn larger_content_length_is_refused_at_once() {
    let backend = Backend::bind().await;
    // Where it would be passed on, and where it would wait.
    for backends in [&[backend.address][..], &[]] {
        let activator = start(backends);
        let mut client = activator.connect().await;
        client.send(announced(MORE)).await;
        check_refusal(&client.message().await);
        assert!(client.rest().await.1.is_ok());
        until_counted(&activator, REASON, 1).await;
    }
    assert!(backend.is_silent());
}

/// Begins a body that turns out to be larger; a backend has the first part of it.
async fn begin(client: &mut Client, backend: &Backend) -> (Client, String) {
    let [first, second] = chunked(MORE);
    client.send(first).await;
    let mut connection = backend.accept().await;
    connection.until(b"4\r\n0123\r\n").await;
    (connection, second)
}

#[tokio::test]
async fn larger_chunked_body_is_refused_and_never_looks_complete() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    let (mut connection, second) = begin(&mut client, &backend).await;
    client.send(second).await;
    check_refusal(&client.message().await);
    assert!(client.rest().await.1.is_ok());
    assert_eq!(connection.rest().await.0, "");
    until_counted(&activator, REASON, 1).await;
    // The backend is as good as ever.
    let mut client = activator.connect().await;
    client.send(announced(MOST)).await;
    backend.request().await.0.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn larger_chunked_body_cuts_a_response_under_way() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let mut client = activator.connect().await;
    let (mut connection, second) = begin(&mut client, &backend).await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc")
        .await;
    assert_eq!(client.head().await.status(), 200);
    assert_eq!(client.bytes(3).await, b"abc");
    client.send(second).await;
    assert_eq!(client.rest().await.0, "");
    assert_eq!(connection.rest().await.0, "");
    until_counted(&activator, REASON, 1).await;
}

fn post(length: Option<usize>) -> Request<()> {
    let mut post = request("POST", "/");
    if let Some(length) = length {
        post.headers_mut().insert("content-length", length.into());
    }
    post
}

async fn check_refused(response: ResponseFuture) {
    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(read(response.body_mut()).await.0, WHY);
}

#[tokio::test]
async fn limit_holds_over_http2() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    for length in [Some(MOST.len()), None] {
        let (response, mut upload) = client.send(post(length), false).await;
        upload.send_data(MOST.into(), true).unwrap();
        let mut exchange = backend.request().await;
        let (body, end) = read(exchange.request.body_mut()).await;
        assert_eq!((&*body, end.unwrap()), (MOST, None));
        exchange.finish("ok");
        assert_eq!(patiently(response).await.unwrap().status(), 200);
    }
    let (response, _upload) = client.send(post(Some(MORE.len())), false).await;
    check_refused(response).await;
    until_counted(&activator, REASON, 1).await;
}

#[tokio::test]
async fn larger_body_over_http2_ends_its_stream_only() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    let (other, _) = client.send(request("GET", "/other"), true).await;
    let mut others = backend.request().await;
    for (is_answered, count) in [(false, 1), (true, 2)] {
        let (response, mut upload) = client.send(post(None), false).await;
        upload.send_data(MORE[..4].into(), false).unwrap();
        let mut exchange = backend.request().await;
        let first = patiently(exchange.request.body_mut().data()).await;
        assert_eq!(first.unwrap().unwrap(), MORE[..4]);
        if is_answered {
            let mut sender = exchange.answer(200);
            sender.send_data("some".into(), false).unwrap();
            let mut response = patiently(response).await.unwrap();
            let some = patiently(response.body_mut().data()).await;
            assert_eq!(some.unwrap().unwrap(), "some");
            upload.send_data(MORE[4..].into(), false).unwrap();
            let (rest, end) = read(response.body_mut()).await;
            assert!(rest.is_empty() && end.unwrap_err().is_reset());
        } else {
            upload.send_data(MORE[4..].into(), false).unwrap();
            check_refused(response).await;
        }
        // Not as if it were complete.
        let (rest, end) = read(exchange.request.body_mut()).await;
        assert!(rest.is_empty() && end.is_err());
        until_counted(&activator, REASON, count).await;
    }
    others.finish("ok");
    assert_eq!(patiently(other).await.unwrap().status(), 200);
}
