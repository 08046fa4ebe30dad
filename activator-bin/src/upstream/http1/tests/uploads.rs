//! Requests on their way: what hyper's server reads of them is what the client has sent.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;

use bytes::Bytes;
use http::header::TRANSFER_ENCODING;
use http::{HeaderMap, HeaderValue, Request, Response, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, duplex};
use tokio::sync::mpsc;

use super::super::upload::Upload;
use crate::message::request_body::RequestBody;
use crate::upstream::tests::run;

/// Serves requests on `stream` and never responds: hands them to `read`, until that is done.
async fn receive<T>(
    stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
    read: impl AsyncFnOnce(Request<Incoming>) -> T,
) -> T {
    let (sender, mut requests) = mpsc::unbounded_channel();
    let service = service_fn(move |request| {
        sender.send(request).unwrap();
        pending::<Result<Response<Empty<Bytes>>, Infallible>>()
    });
    let serving = Builder::new().serve_connection(TokioIo::new(stream), service);
    let reading = async {
        let request = requests.recv().await.unwrap();
        read(request).await
    };
    tokio::select! {
        read = reading => read,
        end = serving => panic!("no request: {end:?}"),
    }
}

/// The bytes of a message: its first line, its headers, its body and its trailers.
type Message = (String, HeaderMap, Vec<u8>, Option<HeaderMap>);

async fn message(request: Request<Incoming>) -> Message {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    let first = format!("{} {} {:?}", head.method, head.uri, head.version);
    (first, head.headers, body.to_bytes().to_vec(), trailers)
}

/// Sends `bytes` from a client in pieces, and passes the request on to a backend that takes `room` bytes at a time.
fn pass_on(bytes: &str, piece: usize, room: usize) -> Message {
    run(async {
        let (mut client, from) = duplex(piece);
        let (mut to, backend) = duplex(room);
        let sending = async {
            client.write_all(bytes.as_bytes()).await.unwrap();
            pending::<()>().await;
        };
        let passing = receive(from, async |mut request| {
            *request.version_mut() = Version::HTTP_11;
            let is_chunked = request.headers_mut().remove(TRANSFER_ENCODING).is_some();
            if is_chunked {
                let chunked = HeaderValue::from_static("chunked");
                request.headers_mut().insert(TRANSFER_ENCODING, chunked);
            }
            let mut upload = Upload::new(request.map(RequestBody::from), false);
            poll_fn(|cx| upload.poll(cx, &mut to)).await.unwrap();
            assert!(upload.is_over());
            pending::<()>().await;
        });
        let (sending, passing) = (pin!(sending), pin!(passing));
        tokio::select! {
            message = receive(backend, message) => message,
            () = sending => unreachable!(),
            () = passing => unreachable!(),
        }
    })
}

#[track_caller]
fn check(head: &str, body: &str, expected: (&str, Option<(&str, &str)>)) {
    for piece in [1, 5, 10_000] {
        for room in [1, 3, 64, 100_000] {
            let (first, headers, body, trailers) =
                pass_on(&format!("{head}\r\n\r\n{body}"), piece, room);
            let mut lines = head.split("\r\n");
            assert_eq!(lines.next(), Some(&*first));
            for line in lines {
                let (name, value) = line.split_once(": ").unwrap();
                assert_eq!(headers.get(name).unwrap(), value, "{name}");
            }
            assert_eq!(headers.len(), head.split("\r\n").count() - 1);
            let trailers = trailers.unwrap_or_default();
            let trailer = trailers.iter().next();
            let trailer = trailer.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            assert_eq!((std::str::from_utf8(&body).unwrap(), trailer), expected);
            assert!(trailers.len() < 2);
        }
    }
}

#[test]
fn a_request_arrives_as_it_was_sent() {
    check("GET / HTTP/1.1\r\nhost: a", "", ("", None));
    check(
        "GET /a?b=c HTTP/1.1\r\nhost: a\r\nx-a: b, c",
        "",
        ("", None),
    );
    check(
        "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0",
        "",
        ("", None),
    );
    check(
        "PUT / HTTP/1.1\r\nhost: a\r\ncontent-length: 11",
        "hello world",
        ("hello world", None),
    );
    let chunked = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked";
    check(chunked, "0\r\n\r\n", ("", None));
    check(
        chunked,
        "5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
        ("hello world", None),
    );
}

#[test]
fn trailers_arrive_if_they_were_announced() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntrailer: x-a\r\ntransfer-encoding: chunked";
    let body = "1\r\na\r\n0\r\nx-a: 1\r\nx-b: 2\r\n\r\n";
    check(head, body, ("a", Some(("x-a", "1"))));
}
