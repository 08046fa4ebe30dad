//! One probe over the network: what is sent, and how the response is judged.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::ProbeOutcome;

/// The body of a ready backend's response.
const READY: &[u8] = b"queue";
/// More than a response needs, in bytes. Bounds what a hostile backend can make us buffer.
const MAX_HEAD: usize = 8 * 1024;

/// What a probe does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    Knative,
    /// The connection must stay open this long.
    Tcp {
        open_for: Duration,
    },
}

impl Exchange {
    /// Extra time on top of the timeout.
    pub(super) fn open_for(self) -> Duration {
        match self {
            Self::Knative => Duration::ZERO,
            Self::Tcp { open_for } => open_for,
        }
    }
}

/// The network, or a test double.
#[async_trait]
pub(super) trait Network: Send + Sync {
    /// Probes once. Has no time limit, and may be dropped at any time.
    async fn probe(&self, exchange: Exchange, backend: SocketAddr) -> ProbeOutcome;
}

pub(super) struct Tcp;

#[async_trait]
impl Network for Tcp {
    async fn probe(&self, exchange: Exchange, backend: SocketAddr) -> ProbeOutcome {
        let stream = match TcpStream::connect(backend).await {
            Ok(stream) => stream,
            Err(error) if is_our_own(&error) => return ProbeOutcome::OutOfDescriptors,
            Err(_) => return ProbeOutcome::Refused,
        };
        match exchange {
            Exchange::Tcp { open_for } => {
                if stays_open(stream, open_for).await {
                    ProbeOutcome::Ok
                } else {
                    ProbeOutcome::Refused
                }
            }
            Exchange::Knative => ask(stream, backend).await.unwrap_or(ProbeOutcome::Refused),
        }
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

/// Whether the peer keeps the connection open for this long. What it sends does not matter.
async fn stays_open(mut stream: TcpStream, open_for: Duration) -> bool {
    let closed = async {
        let mut said = [0; 512];
        while let Ok(1..) = stream.read(&mut said).await {}
    };
    timeout(open_for, closed).await.is_err()
}

async fn ask(stream: TcpStream, backend: SocketAddr) -> hyper::Result<ProbeOutcome> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await?;
    let outcome = async {
        let response = sender.send_request(request(backend)).await?;
        if response.status() != StatusCode::OK {
            return Ok(ProbeOutcome::Status);
        }
        let body = Limited::new(response.into_body(), READY.len());
        Ok(match body.collect().await.map(Collected::to_bytes) {
            Ok(body) if body == READY => ProbeOutcome::Ok,
            _ => ProbeOutcome::Body,
        })
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

fn request(backend: SocketAddr) -> Request<Empty<Bytes>> {
    Request::get("/healthz")
        .header(header::HOST, backend.to_string())
        .header(header::USER_AGENT, "Knative-Activator-Probe")
        .header("K-Network-Probe", "queue")
        .body(Empty::new())
        .expect("the path, names and values are valid")
}

#[cfg(test)]
mod tests;
