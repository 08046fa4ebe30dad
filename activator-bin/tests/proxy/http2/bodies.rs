//! Bodies over HTTP/2: when they arrive, and how they end.

use std::time::Duration;

use bytes::Bytes;
use http::Response;

use super::scene;
use crate::support::activator::Ask;
use crate::support::http2::{Http2Client, patiently, read, request};

/// A direction of an exchange: who sends into it, and who reads from it.
async fn check_end(sender: &mut h2::SendStream<Bytes>, body: &mut h2::RecvStream) {
    // None of these is the end, and none of them gets lost.
    for part in ["", "ab", "", "", "cd"] {
        sender.send_data(part.into(), false).unwrap();
    }
    let mut text = String::new();
    while text.len() < 4 {
        let data = patiently(body.data()).await.unwrap().unwrap();
        text.push_str(str::from_utf8(&data).unwrap());
    }
    assert_eq!(text, "abcd");
    assert!(!body.is_end_stream());
    sender.send_data(Bytes::new(), true).unwrap();
    let (rest, end) = read(body).await;
    assert_eq!((&*rest, end.unwrap()), ("", None));
}

#[tokio::test]
async fn body_is_complete_only_with_its_last_frame() {
    let (mut backend, activator, client) = scene().await;
    for length in [None, Some("4")] {
        let mut post = request("POST", "/");
        if let Some(length) = length {
            let headers = post.headers_mut();
            headers.insert("content-length", length.parse().unwrap());
        }
        let (response, mut upload) = client.send(post, false).await;
        let mut exchange = backend.request().await;
        let asked = exchange.request.headers().get("content-length");
        assert_eq!(asked.map(|it| it.to_str().unwrap()), length);
        check_end(&mut upload, exchange.request.body_mut()).await;
        let mut answer = Response::builder().status(200);
        if let Some(length) = length {
            answer = answer.header("content-length", length);
        }
        let answer = answer.body(()).unwrap();
        let mut answer = exchange.respond.send_response(answer, false).unwrap();
        let mut response = patiently(response).await.unwrap();
        check_end(&mut answer, response.body_mut()).await;
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn empty_body_may_end_in_its_own_frame() {
    let (mut backend, activator, client) = scene().await;
    let (response, mut upload) = client.send(request("POST", "/"), false).await;
    let mut exchange = backend.request().await;
    assert!(!exchange.request.body().is_end_stream());
    upload.send_data(Bytes::new(), true).unwrap();
    let (text, end) = read(exchange.request.body_mut()).await;
    assert_eq!((&*text, end.unwrap()), ("", None));
    let mut answer = exchange.answer(200);
    let mut response = patiently(response).await.unwrap();
    answer.send_data(Bytes::new(), true).unwrap();
    let (text, end) = read(response.body_mut()).await;
    assert_eq!((&*text, end.unwrap()), ("", None));
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn server_sent_events_are_forwarded_at_once() {
    let (mut backend, _activator, client) = scene().await;
    let (response, _) = client.send(request("GET", "/"), true).await;
    let mut exchange = backend.request().await;
    let head = Response::builder().header("content-type", "text/event-stream");
    let head = head.body(()).unwrap();
    let mut events = exchange.respond.send_response(head, false).unwrap();
    let mut response = patiently(response).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    // Each is only sent when the one before has arrived.
    for _ in 0..3 {
        events.send_data("data: 1\n\n".into(), false).unwrap();
        let event = patiently(response.body_mut().data()).await;
        assert_eq!(event.unwrap().unwrap(), "data: 1\n\n");
    }
    events.send_data(Bytes::new(), true).unwrap();
    assert!(read(response.body_mut()).await.1.is_ok());
}

#[tokio::test]
async fn early_response_is_complete() {
    let (mut backend, activator, client) = scene().await;
    for has_body in [true, false] {
        let (response, upload) = client.send(request("POST", "/"), false).await;
        let mut exchange = backend.request().await;
        if has_body {
            let mut sender = exchange.answer(413);
            sender.send_data("too much".into(), true).unwrap();
        } else {
            let response = Response::builder().status(413).body(()).unwrap();
            exchange.respond.send_response(response, true).unwrap();
        }
        // To drop it asks for no more of the request.
        drop(exchange);
        let mut response = patiently(response).await.unwrap();
        assert_eq!(response.status(), 413);
        let (body, end) = read(response.body_mut()).await;
        assert_eq!(body, if has_body { "too much" } else { "" });
        assert_eq!(end.unwrap(), None);
        activator.until_in_flight(0).await;
        drop(upload);
    }
}

#[tokio::test]
async fn pieces_are_forwarded_at_once_in_both_directions() {
    let (mut backend, activator, client) = scene().await;
    let (response, mut upload) = client.send(request("POST", "/"), false).await;
    let mut exchange = backend.request().await;
    let mut answer = exchange.answer(200);
    let mut response = patiently(response).await.unwrap();
    for _ in 0..3 {
        upload.send_data("ping".into(), false).unwrap();
        let ping = patiently(exchange.request.body_mut().data()).await;
        assert_eq!(ping.unwrap().unwrap(), "ping");
        answer.send_data("pong".into(), false).unwrap();
        let pong = patiently(response.body_mut().data()).await;
        assert_eq!(pong.unwrap().unwrap(), "pong");
    }
    assert_eq!(activator.in_flight(), 1);
    // Either direction ends for itself.
    upload.send_data(Bytes::new(), true).unwrap();
    assert!(read(exchange.request.body_mut()).await.1.is_ok());
    answer.send_data("end".into(), true).unwrap();
    assert_eq!(read(response.body_mut()).await.0, "end");
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn slow_reader_slows_its_own_stream_only() {
    let (mut backend, activator, client) = scene().await;
    // More of them than would fit into one connection's window of the default size.
    let mut slow = Vec::new();
    for _ in 0..4 {
        let (response, upload) = client.send(request("POST", "/"), false).await;
        let mut exchange = backend.request().await;
        let answer = exchange.answer(200);
        let response = patiently(response).await.unwrap();
        slow.push((response, upload, exchange, answer));
    }
    let stuck = Duration::from_millis(200);
    let chunk = Bytes::from(vec![b'x'; 16 << 10]);
    for (_, upload, _, answer) in &mut slow {
        for sender in [answer, upload] {
            let mut sent = 0;
            loop {
                sender.reserve_capacity(chunk.len());
                let capacity = std::future::poll_fn(|cx| sender.poll_capacity(cx));
                let Ok(room) = tokio::time::timeout(stuck, capacity).await else {
                    break;
                };
                let room = room.unwrap().unwrap();
                sender
                    .send_data(chunk.slice(..room.min(chunk.len())), false)
                    .unwrap();
                sent += room.min(chunk.len());
                assert!(sent < 1 << 20, "{sent}");
            }
        }
    }
    let other = Http2Client::connect(&activator).await;
    let (response, _) = other.send(request("GET", "/"), true).await;
    backend.request().await.finish("ok");
    let mut response = patiently(response).await.unwrap();
    assert_eq!(read(response.body_mut()).await.0, "ok");
}
