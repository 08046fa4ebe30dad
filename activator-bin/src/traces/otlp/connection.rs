//! A connection to a collector, over HTTP/1.1 or HTTP/2, kept for as long as it works.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::traces::config::{Endpoint, ExportProtocol};

/// The most addresses of a collector that are tried, and for how long each.
const MAX_ADDRESSES: usize = 10;
const CONNECT: Duration = Duration::from_secs(3);
/// The largest response that is read, in bytes.
const MAX_RESPONSE: usize = 64 << 10;

/// A connection; it is closed when this is dropped.
pub(super) struct Connection {
    requests: Requests,
    driver: AbortHandle,
}

enum Requests {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// Why there is no response, in words for people.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("cannot connect to it: {0}")]
    Connect(#[from] io::Error),
    #[error("the connection failed: {0}")]
    Http(#[from] hyper::Error),
    #[error("its response failed: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("it did not respond in time")]
    Late,
}

impl Connection {
    pub(super) async fn open(
        endpoint: &Endpoint,
        protocol: ExportProtocol,
        tls: Option<&Arc<ClientConfig>>,
    ) -> Result<Self, Failure> {
        let socket = connect(endpoint).await?;
        let Some(config) = tls else {
            return Self::start(socket, protocol).await;
        };
        let name = ServerName::try_from(endpoint.host().to_owned()).map_err(io::Error::other)?;
        let alpn = match protocol {
            ExportProtocol::Grpc => b"h2".as_slice(),
            ExportProtocol::HttpProtobuf => b"http/1.1",
        };
        let connector = TlsConnector::from(Arc::clone(config));
        let connecting = connector
            .with_alpn(vec![alpn.to_vec()])
            .connect(name, socket);
        Self::start(connecting.await?, protocol).await
    }

    async fn start(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        protocol: ExportProtocol,
    ) -> Result<Self, Failure> {
        let stream = TokioIo::new(stream);
        let (requests, driver) = match protocol {
            ExportProtocol::HttpProtobuf => {
                let mut http = http1::Builder::new();
                http.max_buf_size(MAX_RESPONSE);
                let (requests, driver) = http.handshake(stream).await?;
                let driver = tokio::spawn(async move { drop(driver.await) });
                (Requests::Http1(requests), driver.abort_handle())
            }
            ExportProtocol::Grpc => {
                let http = http2::Builder::new(TokioExecutor::new());
                let (requests, driver) = http.handshake(stream).await?;
                let driver = tokio::spawn(async move { drop(driver.await) });
                (Requests::Http2(requests), driver.abort_handle())
            }
        };
        Ok(Self { requests, driver })
    }

    /// Sends a request and reads the whole response.
    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Collected<Bytes>>, Failure> {
        let response: Response<Incoming> = match &mut self.requests {
            Requests::Http1(requests) => {
                requests.ready().await?;
                requests.send_request(request).await?
            }
            Requests::Http2(requests) => {
                requests.ready().await?;
                requests.send_request(request).await?
            }
        };
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_RESPONSE).collect().await;
        Ok(Response::from_parts(head, body.map_err(Failure::Body)?))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Connects to the first address that accepts.
async fn connect(endpoint: &Endpoint) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    let found = lookup_host((endpoint.host(), endpoint.port())).await?;
    for address in found.take(MAX_ADDRESSES) {
        let connected = timeout(CONNECT, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(socket) => {
                // Each request is written at once.
                socket.set_nodelay(true)?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
