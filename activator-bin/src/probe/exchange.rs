//! One probe over the network: what is sent, and how the response is judged.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ProbeOutcome;
use super::evidence::Answer;
use crate::message::headers::PASSTHROUGH_LB;
use crate::os::unix_socket;

/// The body of a ready backend's response.
const READY: &[u8] = b"queue";
/// More than a response needs, in bytes. Bounds what a hostile backend can make us buffer.
const MAX_HEAD: usize = 8 * 1024;

/// What a probe does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    Knative {
        /// What a mesh finds the backend by: the name of its Service as Host, instead of its address.
        via: Option<Arc<str>>,
    },
    Tcp {
        /// The connection must stay open this long.
        open_for: Duration,
        /// The unix socket of the backend, if it has one instead of its address.
        socket: Option<Arc<Path>>,
    },
}

impl Exchange {
    /// Extra time on top of the timeout.
    pub(super) fn open_for(&self) -> Duration {
        match *self {
            Self::Knative { .. } => Duration::ZERO,
            Self::Tcp { open_for, .. } => open_for,
        }
    }
}

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) outcome: ProbeOutcome,
    /// What came back.
    pub(super) answer: Answer,
}

impl From<ProbeOutcome> for Ended {
    fn from(outcome: ProbeOutcome) -> Self {
        let answer = match outcome {
            ProbeOutcome::Ok | ProbeOutcome::Status | ProbeOutcome::Body => Answer::Own,
            ProbeOutcome::Refused | ProbeOutcome::Timeout | ProbeOutcome::OutOfDescriptors => {
                Answer::Nothing
            }
        };
        Self { outcome, answer }
    }
}

/// The network, or a test double.
#[async_trait]
pub(super) trait Network: Send + Sync {
    /// Probes once. Has no time limit, and may be dropped at any time.
    async fn probe(&self, exchange: &Exchange, backend: SocketAddr) -> Ended;
}

pub(super) struct Tcp;

#[async_trait]
impl Network for Tcp {
    async fn probe(&self, exchange: &Exchange, backend: SocketAddr) -> Ended {
        let ended = match exchange {
            Exchange::Tcp { open_for, socket } => match socket {
                None => stays_open(TcpStream::connect(backend).await, *open_for).await,
                Some(path) => stays_open(unix_socket::connect(path).await, *open_for).await,
            },
            Exchange::Knative { via } => match TcpStream::connect(backend).await {
                Ok(stream) => {
                    let answer = ask(stream, request(backend, via.as_deref())).await;
                    Ok(answer.unwrap_or(ProbeOutcome::Refused.into()))
                }
                Err(error) => Err(error),
            },
        };
        ended.unwrap_or_else(|error| match is_our_own(&error) {
            true => ProbeOutcome::OutOfDescriptors.into(),
            false => ProbeOutcome::Refused.into(),
        })
    }
}

/// Whether this machine lacks a resource, which says nothing about the backend.
fn is_our_own(error: &io::Error) -> bool {
    let Some(error) = Errno::from_io_error(error) else {
        return false;
    };
    [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::ADDRNOTAVAIL,
    ]
    .contains(&error)
}

/// Whether the peer keeps a connection open for this long. What it sends does not matter.
async fn stays_open(
    stream: io::Result<impl AsyncRead + Unpin>,
    open_for: Duration,
) -> io::Result<Ended> {
    let mut stream = stream?;
    let closed = async {
        let mut said = [0; 512];
        while let Ok(1..) = stream.read(&mut said).await {}
    };
    let is_open = timeout(open_for, closed).await.is_err();
    Ok(match is_open {
        true => ProbeOutcome::Ok.into(),
        false => ProbeOutcome::Refused.into(),
    })
}

async fn ask(stream: TcpStream, request: Request<Empty<Bytes>>) -> hyper::Result<Ended> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let outcome = async {
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Ok(Ended {
                outcome: ProbeOutcome::Status,
                answer: Answer::of(response.status()),
            });
        }
        let body = Limited::new(response.into_body(), READY.len());
        let outcome = match body.collect().await.map(Collected::to_bytes) {
            Ok(body) if body == READY => ProbeOutcome::Ok,
            _ => ProbeOutcome::Body,
        };
        Ok(outcome.into())
    };
    let drive = async {
        // Once the connection has ended, what was read must still be processed.
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        outcome = outcome => outcome,
        () = drive => unreachable!("it never completes"),
    }
}

fn request(backend: SocketAddr, via: Option<&str>) -> Request<Empty<Bytes>> {
    // A name that cannot be a Host is as good as none.
    let name = via.and_then(|name| HeaderValue::try_from(name).ok());
    let is_named = name.is_some();
    let host = name.unwrap_or_else(|| {
        HeaderValue::try_from(backend.to_string()).expect("an address is visible ASCII")
    });
    let mut request = Request::get("/healthz")
        .header(header::HOST, host)
        .header(header::USER_AGENT, "Knative-Activator-Probe")
        .header("K-Network-Probe", "queue")
        .body(Empty::new())
        .expect("the path, names and values are valid");
    if is_named {
        let passthrough = HeaderValue::from_static("true");
        request.headers_mut().insert(PASSTHROUGH_LB, passthrough);
    }
    request
}

#[cfg(test)]
mod tests;
