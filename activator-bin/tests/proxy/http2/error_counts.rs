//! As what the requests are counted that their client gives up, and those that break the rules.

use bytes::Bytes;
use h2::{Reason, SendStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::scene;
use crate::support::activator::Ask;
use crate::support::http2::{Exchange, patiently, request};
use crate::support::metrics::{until_counted, until_line};

/// What becomes of an upload that is under way when its client does this.
async fn check(end: impl FnOnce(&mut SendStream<Bytes>), length: &str, reason: &str) {
    let (mut backend, activator, client) = scene().await;
    let mut post = request("POST", "/");
    let headers = post.headers_mut();
    headers.insert("content-length", length.parse().unwrap());
    let (_response, mut upload) = client.send(post, false).await;
    upload.send_data("part".into(), false).unwrap();
    let mut exchange: Exchange = backend.request().await;
    let part = patiently(exchange.request.body_mut().data()).await;
    assert_eq!(part.unwrap().unwrap(), "part");
    end(&mut upload);
    until_counted(&activator, reason, 1).await;
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn cancelled_upload_counts_as_client_gone() {
    for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
        check(|upload| upload.send_reset(reason), "10", "client_gone").await;
    }
}

#[tokio::test]
async fn upload_of_wrong_length_counts_as_bad_request() {
    let more = |upload: &mut SendStream<Bytes>| upload.send_data("more".into(), false).unwrap();
    check(more, "5", "bad_request").await;
}

#[tokio::test]
async fn requests_cut_by_a_connection_error_count_as_client_gone() {
    let (mut backend, activator, _client) = scene().await;
    let mut socket = TcpStream::connect(activator.http_addr()).await.unwrap();
    // Two uploads, written by hand, and then a window that grows by nothing, which ends the connection.
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in [1, 3] {
        bytes.extend(head(stream));
    }
    socket.write_all(&bytes).await.unwrap();
    let mut exchanges = Vec::new();
    for _ in 0..2 {
        exchanges.push(backend.request().await);
    }
    let broken = b"\0\0\x04\x08\0\0\0\0\0\0\0\0\0";
    socket.write_all(broken).await.unwrap();
    // Not before: who leaves earlier is not told anything.
    let mut told = Vec::new();
    patiently(socket.read_to_end(&mut told)).await.unwrap();
    drop(socket);
    activator.until_in_flight(0).await;
    for (reason, count) in [("bad_request", 1), ("client_gone", 2)] {
        let line = format!(r#"activator_errors_total{{reason="{reason}"}} {count}"#);
        until_line(&activator, &line).await;
    }
}

/// So many at once that some are taken back before anybody has looked at them.
#[tokio::test]
async fn request_cancelled_before_it_was_read_is_counted() {
    let (_backend, activator, _client) = scene().await;
    let mut socket = TcpStream::connect(activator.http_addr()).await.unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in [1, 3, 5] {
        bytes.extend(head(stream));
        bytes.extend(b"\0\0\x04\x03\0\0\0\0");
        bytes.extend([stream, 0, 0, 0, 8]);
    }
    // One more breaks a rule: a window of its own that is too large.
    bytes.extend(head(7));
    bytes.extend(b"\0\0\x04\x08\0\0\0\0\x07\x7f\xff\xff\xff");
    socket.write_all(&bytes).await.unwrap();
    for (reason, count) in [("client_gone", 3), ("bad_request", 1)] {
        let line = format!(r#"activator_errors_total{{reason="{reason}"}} {count}"#);
        until_line(&activator, &line).await;
    }
    activator.until_in_flight(0).await;
}

/// A request with a body to come.
fn head(stream: u8) -> Vec<u8> {
    let host = b"hello.default.svc.cluster.local";
    let length = u8::try_from(host.len()).unwrap();
    let head = [b"\x83\x86\x84\x01", &[length][..], host].concat();
    let length = u8::try_from(head.len()).unwrap();
    [&[0, 0, length, 1, 4, 0, 0, 0, stream][..], &head].concat()
}
