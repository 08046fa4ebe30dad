//! Connections to backends: who shares them, and where a request goes that one of them did not take.

use activator_bin::testing::Protocol;
use h2::Reason;

use super::scene;
use crate::support::activator::{Ask, config, start, start_with};
use crate::support::backend::{Backend, answering};
use crate::support::http2::{Http2Backend, Http2Client, patiently, read, request};

#[tokio::test]
async fn http1_backend_is_named_in_the_502() {
    let (address, _requests) = answering("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let mut config = config(&[address]);
    config.revisions[0].protocol = Protocol::H2c;
    let activator = start_with(config);
    let client = Http2Client::connect(&activator).await;
    let mut response = client.get("/").await;
    assert_eq!(response.status(), 502);
    let text = read(response.body_mut()).await.0;
    let expected = format!("backend {address} closed the connection instead of speaking HTTP/2");
    assert!(text.contains(&expected), "{text}");
}

#[tokio::test]
async fn request_for_a_dead_backend_goes_to_another() {
    let gone = Backend::bind().await.address;
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[gone, backend.address]);
    let client = Http2Client::connect(&activator).await;
    for _ in 0..10 {
        let (response, mut upload) = client.send(request("POST", "/"), false).await;
        upload.send_data("body".into(), true).unwrap();
        let mut exchange = backend.request().await;
        let authority = exchange.request.uri().authority().unwrap().to_string();
        assert_eq!(authority, backend.address.to_string());
        assert_eq!(read(exchange.request.body_mut()).await.0, "body");
        exchange.finish("ok");
        assert_eq!(patiently(response).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn streams_share_a_connection_up_to_the_limit() {
    let mut settings = h2::server::Builder::new();
    settings.max_concurrent_streams(2);
    let mut backend = Http2Backend::with(settings).await;
    let mut config = config(&[backend.address]);
    config.workers = 1;
    let activator = start_with(config);
    let client = Http2Client::connect(&activator).await;
    let mut responses = Vec::new();
    for _ in 0..5 {
        responses.push(client.send(request("GET", "/"), true).await.0);
    }
    let mut exchanges = Vec::new();
    for _ in 0..5 {
        exchanges.push(backend.request().await);
    }
    let on = |number| {
        let of = exchanges.iter().filter(|one| one.connection == number);
        of.count()
    };
    assert_eq!((on(0), on(1), on(2)), (2, 2, 1));
    for exchange in &mut exchanges {
        exchange.finish("ok");
    }
    for response in responses {
        let mut response = patiently(response).await.unwrap();
        assert_eq!(read(response.body_mut()).await.0, "ok");
    }
    activator.until_in_flight(0).await;
    // Places that are free again are used.
    let (response, _) = client.send(request("GET", "/"), true).await;
    let mut exchange = backend.request().await;
    assert_eq!(exchange.connection, 0);
    exchange.finish("ok");
    patiently(response).await.unwrap();
}

#[tokio::test]
async fn connection_after_goaway_only_finishes_its_streams() {
    let mut backend = Http2Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.workers = 1;
    let activator = start_with(config);
    let client = Http2Client::connect(&activator).await;
    let (first, _) = client.send(request("GET", "/1"), true).await;
    let mut old = backend.request().await;
    backend.go_away.notify_one();
    // It has been heard of when a request comes over another connection.
    let mut new = loop {
        let (response, _) = client.send(request("GET", "/2"), true).await;
        let mut exchange = backend.request().await;
        if exchange.connection > 0 {
            break (exchange, response);
        }
        exchange.finish("ok");
        patiently(response).await.unwrap();
    };
    new.0.finish("new");
    let mut response = patiently(new.1).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "new");
    old.finish("old");
    let mut response = patiently(first).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "old");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn refused_stream_is_retried_while_its_body_is_kept() {
    let (mut backend, activator, client) = scene().await;
    let (response, mut upload) = client.send(request("POST", "/"), false).await;
    let mut exchange = backend.request().await;
    upload.send_data("bo".into(), false).unwrap();
    let part = patiently(exchange.request.body_mut().data()).await;
    assert_eq!(part.unwrap().unwrap(), "bo");
    exchange.respond.send_reset(Reason::REFUSED_STREAM);
    let mut again = backend.request().await;
    upload.send_data("dy".into(), true).unwrap();
    assert_eq!(read(again.request.body_mut()).await.0, "body");
    again.finish("ok");
    assert_eq!(patiently(response).await.unwrap().status(), 200);

    // More than is kept.
    let (response, mut upload) = client.send(request("POST", "/"), false).await;
    let mut exchange = backend.request().await;
    upload.send_data(vec![b'x'; 100_000].into(), false).unwrap();
    let mut length = 0;
    while length < 100_000 {
        let part = patiently(exchange.request.body_mut().data()).await;
        let part = part.unwrap().unwrap().len();
        length += part;
        let window = exchange.request.body_mut().flow_control();
        window.release_capacity(part).unwrap();
    }
    exchange.respond.send_reset(Reason::REFUSED_STREAM);
    assert_eq!(patiently(response).await.unwrap().status(), 502);

    // Somebody who refuses everything is not asked for ever.
    let (response, _) = client.send(request("GET", "/"), true).await;
    for _ in 0..20 {
        let mut exchange = backend.request().await;
        exchange.respond.send_reset(Reason::REFUSED_STREAM);
    }
    assert_eq!(patiently(response).await.unwrap().status(), 502);
    activator.until_in_flight(0).await;
}
