//! A backend that sends certain bytes and closes, read by this client and by hyper's.

use std::future::pending;
use std::task::Waker;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body::Body;
use http_body_util::BodyExt as _;
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::yield_now;
use tokio_util::either::Either;

use super::super::{Http1Body, Open};
use crate::limits::Limits;
use crate::message::request_body::RequestBody;
use crate::upstream::line::Line;

/// How often others go on before the connection is closed.
const PAUSE: usize = 40;

/// What a client made of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No response.
    None,
    /// One whose body has no end.
    Cut { head: Vec<String> },
    Whole {
        head: Vec<String>,
        body: Vec<u8>,
        trailers: Vec<String>,
        /// Whether the connection can be used again.
        is_reusable: bool,
    },
}

/// What this client makes of `bytes` that arrive in pieces.
pub(super) async fn ours(method: &Method, bytes: &[u8], piece: usize) -> Outcome {
    let (near, mut far) = UnixStream::pair().unwrap();
    let line = Line::new(Either::Left(Either::Right(near)));
    let open = std::rc::Rc::new(std::cell::RefCell::new(Open::new(line, &Limits::default())));
    let sending = async {
        for piece in bytes.chunks(piece.min(bytes.len()).max(1)) {
            // It may be closed already.
            if far.write_all(piece).await.is_err() {
                break;
            }
            yield_now().await;
        }
        close(&mut far).await;
    };
    let reading = async {
        let request = Request::builder()
            .method(method)
            .uri("/")
            .body(RequestBody::empty());
        open.borrow_mut().begin(request.unwrap(), false);
        let head = std::future::poll_fn(|cx| open.borrow_mut().poll_head(cx)).await;
        let Ok((head, _)) = head else {
            return Outcome::None;
        };
        let body = Http1Body::new(&open);
        let outcome = outcome(head.map(|()| body)).await;
        for _ in 0..PAUSE / 2 {
            yield_now().await;
        }
        let mut open = open.borrow_mut();
        with(outcome, open.is_idle() && open.is_ready(Waker::noop()))
    };
    let reading = async {
        let outcome = reading.await;
        open.borrow_mut().close();
        outcome
    };
    tokio::join!(reading, sending).0
}

/// What hyper's client makes of `bytes`.
pub(super) async fn hyper(method: &Method, bytes: &[u8]) -> Outcome {
    let (near, mut far) = tokio::io::duplex(bytes.len().max(1_000));
    let (mut requests, connection) = Builder::new().handshake(TokioIo::new(near)).await.unwrap();
    let request = Request::builder()
        .method(method)
        .uri("/")
        .body(String::new())
        .unwrap();
    let asking = async {
        let Ok(response) = requests.send_request(request).await else {
            return Outcome::None;
        };
        let outcome = outcome(response).await;
        for _ in 0..PAUSE / 2 {
            yield_now().await;
        }
        with(outcome, requests.is_ready())
    };
    let sending = async {
        // Hyper takes what comes before its request for an error.
        far.read_u8().await.unwrap();
        far.write_all(bytes).await.unwrap();
        close(&mut far).await;
        pending().await
    };
    // An end of the connection is no end of the test.
    let driving = async {
        let _ = connection.await;
        pending().await
    };
    tokio::select! {
        outcome = asking => outcome,
        never = sending => never,
        never = driving => never,
    }
}

/// Closes it, once a whole response has been read.
async fn close(far: &mut (impl AsyncWrite + Unpin)) {
    for _ in 0..PAUSE {
        yield_now().await;
    }
    let _ = far.shutdown().await;
}

fn with(mut outcome: Outcome, is_idle: bool) -> Outcome {
    if let Outcome::Whole { is_reusable, .. } = &mut outcome {
        *is_reusable = is_idle;
    }
    outcome
}

async fn outcome<B: Body<Data = Bytes>>(response: Response<B>) -> Outcome {
    let (head, body) = response.into_parts();
    let mut lines = lines(&head.headers);
    lines.push(format!("{:?} {}", head.version, head.status));
    match body.collect().await {
        Err(_) => Outcome::Cut { head: lines },
        Ok(body) => Outcome::Whole {
            head: lines,
            trailers: body.trailers().map(self::lines).unwrap_or_default(),
            body: body.to_bytes().to_vec(),
            is_reusable: false,
        },
    }
}

fn lines(headers: &HeaderMap) -> Vec<String> {
    headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_bytes().escape_ascii()))
        .collect()
}
