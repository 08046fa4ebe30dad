//! Informational responses (1xx) over HTTP/2.

use std::future::poll_fn;

use h2::client::ResponseFuture;
use http::{Request, Response};

use super::scene;
use crate::support::activator::Ask;
use crate::support::http2::{Exchange, patiently, read, request};

fn inform(exchange: &mut Exchange, status: u16, headers: &[(&str, &str)]) {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let response = response.body(()).unwrap();
    exchange.respond.send_informational(response).unwrap();
}

/// The next one that comes before the response.
async fn informed(response: &mut ResponseFuture) -> Response<()> {
    let early = poll_fn(|cx| response.poll_informational(cx));
    patiently(early).await.unwrap().unwrap()
}

fn upload() -> Request<()> {
    let mut upload = request("POST", "/");
    let headers = upload.headers_mut();
    headers.insert("expect", "100-continue".parse().unwrap());
    upload
}

#[tokio::test]
async fn informational_responses_are_forwarded_at_once() {
    let (mut backend, activator, client) = scene().await;
    let (mut response, _) = client.send(request("GET", "/"), true).await;
    let mut exchange = backend.request().await;
    for status in [102, 103, 100, 103] {
        // What belongs to one connection is not passed on.
        let headers = [("link", "</a.css>"), ("proxy-authenticate", "a")];
        inform(&mut exchange, status, &headers);
        let early = informed(&mut response).await;
        assert_eq!(early.status(), status);
        assert_eq!(early.headers().len(), 1);
        assert_eq!(early.headers()["link"], "</a.css>");
    }
    inform(&mut exchange, 103, &[]);
    exchange.finish("ok");
    assert_eq!(informed(&mut response).await.status(), 103);
    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(read(response.body_mut()).await.0, "ok");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn backend_100_is_forwarded_once() {
    let (mut backend, activator, client) = scene().await;
    let (mut response, mut body) = client.send(upload(), false).await;
    let mut exchange = backend.request().await;
    assert_eq!(exchange.request.headers()["expect"], "100-continue");
    for status in [103, 100, 100, 103] {
        inform(&mut exchange, status, &[]);
    }
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(informed(&mut response).await.status().as_u16());
    }
    told.sort_unstable();
    assert_eq!(told, [100, 103, 103]);
    body.send_data("body".into(), true).unwrap();
    assert_eq!(read(exchange.request.body_mut()).await.0, "body");
    exchange.finish("ok");
    assert_eq!(patiently(response).await.unwrap().status(), 200);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn silent_backend_still_gets_100() {
    let (mut backend, activator, client) = scene().await;
    let (mut response, mut body) = client.send(upload(), false).await;
    let mut exchange = backend.request().await;
    assert_eq!(informed(&mut response).await.status(), 100);
    body.send_data("body".into(), true).unwrap();
    assert_eq!(read(exchange.request.body_mut()).await.0, "body");
    exchange.finish("ok");
    assert_eq!(patiently(response).await.unwrap().status(), 200);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn refused_body_gets_no_100() {
    let (mut backend, activator, client) = scene().await;
    let (mut response, _body) = client.send(upload(), false).await;
    let mut exchange = backend.request().await;
    let refusal = Response::builder().status(417).body(()).unwrap();
    exchange.respond.send_response(refusal, true).unwrap();
    let early = poll_fn(|cx| response.poll_informational(cx));
    assert!(patiently(early).await.is_none());
    assert_eq!(patiently(response).await.unwrap().status(), 417);
    activator.until_in_flight(0).await;
}
