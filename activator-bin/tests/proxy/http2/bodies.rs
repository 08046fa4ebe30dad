//! Bodies over HTTP/2: when they arrive, and how they end.

use super::*;
use crate::http2_peers::patiently;

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
async fn a_body_whose_end_comes_in_a_frame_of_its_own_is_complete_then_and_not_before() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
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
async fn a_body_without_a_byte_may_end_in_a_frame_of_its_own() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
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
async fn server_sent_events_arrive_one_by_one() {
    let mut backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
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
