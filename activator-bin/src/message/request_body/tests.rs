use std::future::poll_fn;

use http_body_util::BodyExt;
use http_body_util::combinators::Collect;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use super::*;

/// The body of a request with this `head`, to be written to the returned stream.
async fn upload(head: &str) -> (DuplexStream, RequestBody) {
    let (mut client, server) = tokio::io::duplex(1024 * 1024);
    client.write_all(head.as_bytes()).await.unwrap();
    let (sender, mut requests) = mpsc::unbounded_channel();
    let service = service_fn(move |request: http::Request<Incoming>| {
        sender.send(request).unwrap();
        std::future::pending::<hyper::Result<http::Response<String>>>()
    });
    tokio::spawn(
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service),
    );
    let request = requests.recv().await.unwrap();
    (client, request.into_body().into())
}

async fn fixed(length: usize) -> (DuplexStream, RequestBody) {
    let head = format!("PUT / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
    upload(&head).await
}

async fn data(upload: &mut RequestBody) -> Bytes {
    let frame = upload.frame().await.unwrap().unwrap();
    frame.into_data().unwrap()
}

fn all(upload: RequestBody) -> Collect<RequestBody> {
    upload.collect()
}

fn is_kept(upload: &RequestBody) -> bool {
    !upload.shared.as_ref().unwrap().borrow().kept.is_empty()
}

#[tokio::test]
async fn a_partly_sent_body_is_sent_again_from_its_beginning() {
    let (mut client, mut first) = fixed(6).await;
    let spare = first.again().unwrap();
    client.write_all(b"abc").await.unwrap();
    assert_eq!(data(&mut first).await, "abc");
    assert_eq!(first.size_hint().exact(), Some(3));
    assert!(spare.is_whole());
    assert_eq!(spare.size_hint().exact(), Some(6));
    // A third attempt works as well.
    let third = spare.again().unwrap();
    let mut second = spare;
    assert_eq!(data(&mut second).await, "abc");
    assert_eq!(second.size_hint().exact(), Some(3));
    client.write_all(b"def").await.unwrap();
    assert_eq!(data(&mut second).await, "def");
    assert!(second.is_end_stream());
    assert!(first.frame().await.unwrap().is_err());
    assert!(!third.is_end_stream());
    assert_eq!(all(third).await.unwrap().to_bytes(), "abcdef");
}

#[tokio::test]
async fn trailers_are_sent_again_as_well() {
    let head = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (mut client, first) = upload(head).await;
    let body = b"2\r\nab\r\n0\r\na: b\r\n\r\n";
    client.write_all(body).await.unwrap();
    let spare = first.again().unwrap();
    for upload in [first, spare] {
        let all = all(upload).await.unwrap();
        assert_eq!(all.trailers().unwrap()["a"], "b");
        assert_eq!(all.to_bytes(), "ab");
    }
}

#[tokio::test]
async fn nothing_is_kept_once_no_further_attempt_is_possible() {
    let (mut client, mut first) = fixed(6).await;
    client.write_all(b"abc").await.unwrap();
    let spare = first.again().unwrap();
    data(&mut first).await;
    assert!(is_kept(&first));
    drop(spare);
    assert!(!is_kept(&first));
    assert!(!first.is_whole() && first.again().is_none());
    client.write_all(b"def").await.unwrap();
    assert_eq!(data(&mut first).await, "def");
    assert!(!is_kept(&first));
}

#[tokio::test]
async fn dropping_a_spare_keeps_the_rest_of_the_current_body() {
    let (mut client, mut first) = fixed(4).await;
    let mut second = first.again().unwrap();
    for part in ["ab", "cd"] {
        client.write_all(part.as_bytes()).await.unwrap();
        assert_eq!(data(&mut first).await, part);
    }
    let third = second.again().unwrap();
    assert_eq!(data(&mut second).await, "ab");
    drop(third);
    assert_eq!(data(&mut second).await, "cd");
    assert!(second.is_end_stream());
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_kept() {
    let (mut client, mut first) = fixed(MOST_KEPT + 1).await;
    let spare = first.again().unwrap();
    client.write_all(&[b'x'; MOST_KEPT + 1]).await.unwrap();
    let mut length = 0;
    while !first.is_end_stream() {
        length += data(&mut first).await.len();
    }
    assert_eq!(length, MOST_KEPT + 1);
    assert!(!spare.is_whole() && !is_kept(&spare));
    // The remainder never passes for the whole body.
    assert!({ spare }.frame().await.unwrap().is_err());
}

#[tokio::test]
async fn a_failed_body_is_not_sent_again() {
    let (client, mut first) = fixed(6).await;
    let spare = first.again().unwrap();
    drop(client);
    assert!(first.frame().await.unwrap().is_err());
    assert!(!spare.is_whole());
}

#[tokio::test]
async fn an_empty_body_can_be_sent_any_number_of_times() {
    let (_client, first) = upload("GET / HTTP/1.1\r\n\r\n").await;
    assert!(first.shared.is_none());
    let mut again = first.again().unwrap().again().unwrap();
    assert!(again.is_whole() && again.is_end_stream());
    assert_eq!(again.size_hint().exact(), Some(0));
    let polled = poll_fn(|cx| Pin::new(&mut again).poll_frame(cx)).await;
    assert!(polled.is_none());
}
