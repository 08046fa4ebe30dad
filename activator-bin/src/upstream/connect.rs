//! New connections to backends.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::client::TlsStream;

use super::UpstreamError;
use super::error::Missing;
use super::line::{self, Line, OverTcp};
use super::pool::Connection;
use super::recall::Recall;
use super::wire::Wire;
use crate::limits::Limits;
use crate::message::target::Target;
use crate::os::open_files;
use crate::tls::{ALPN_HTTP1, BackendTls};
use crate::upstream::backend::{Endpoint, OverTls};

/// Pauses in milliseconds, after each attempt that found no free descriptor.
const SCARCITY_PAUSES: [u64; 6] = [1, 5, 10, 20, 40, 80];

/// Opens an HTTP/1 connection for a request. `target` is set if hyper cannot represent the request's target. A task
/// of the current worker drives the connection until it is closed.
pub(super) async fn connect(
    http: &http1::Builder,
    backend: &Endpoint,
    tls: Option<&BackendTls>,
    limits: Limits,
    recall: &Recall,
    target: Option<Target>,
) -> Result<Connection, UpstreamError> {
    let address = backend.address;
    let until = Instant::now() + limits.connect_timeout;
    match &backend.tls {
        None => open(http, address, socket(address, until, recall).await?, target).await,
        Some(over) => {
            let stream = private(over, tls, ALPN_HTTP1, until, recall).await?;
            open(http, address, stream, target).await
        }
    }
}

async fn open(
    http: &http1::Builder,
    backend: SocketAddr,
    stream: impl OverTcp + Send + 'static,
    target: Option<Target>,
) -> Result<Connection, UpstreamError> {
    let line = Line::new(stream);
    let traffic = line.traffic();
    let wire = Wire::new(line, target);
    let heads = wire.heads();
    let (requests, driver) = http
        .handshake(TokioIo::new(wire))
        .await
        .map_err(|error| UpstreamError::exchange(backend, error))?;
    let driving = tokio::task::spawn_local(async move {
        // The request waiting for a response gets the error as well.
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(%backend, %error, "backend connection ended with an error");
        }
    });
    Ok(Connection::new(
        requests,
        driving.abort_handle(),
        traffic,
        heads,
    ))
}

/// Connects. If the process is out of descriptors, closes idle backend connections first.
pub(super) async fn socket(
    backend: SocketAddr,
    until: Instant,
    recall: &Recall,
) -> Result<TcpStream, UpstreamError> {
    for pause in SCARCITY_PAUSES.map(Duration::from_millis) {
        match try_socket(backend, until).await {
            Err(error) if open_files::is_scarcity(&error) => {
                // Other workers may have idle connections to close, which takes a moment.
                recall.on_scarcity();
                sleep(pause).await;
            }
            Err(source) => return Err(UpstreamError::Connect { backend, source }),
            Ok(socket) => return Ok(socket),
        }
    }
    Err(UpstreamError::OutOfDescriptors(backend))
}

async fn try_socket(backend: SocketAddr, until: Instant) -> io::Result<TcpStream> {
    let socket = timeout_at(until, TcpStream::connect(backend))
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        .and_then(open_files::unreserved)?;
    line::tune(&socket)?;
    Ok(socket)
}

/// Connects and does the TLS handshake with a backend, to speak `protocol`.
pub(super) async fn private(
    over: &OverTls,
    tls: Option<&BackendTls>,
    protocol: &[u8],
    until: Instant,
    recall: &Recall,
) -> Result<TlsStream<TcpStream>, UpstreamError> {
    let OverTls { address, namespace } = over;
    let backend = *address;
    let tls = tls.ok_or(UpstreamError::NoAuthorities(backend, Missing::Setting))?;
    let missing = UpstreamError::NoAuthorities(backend, Missing::Objects);
    let trusted = tls.trusted().ok_or(missing)?;
    let socket = socket(backend, until, recall).await?;
    timeout_at(until, tls.connect(&trusted, socket, namespace, protocol))
        .await
        .map_err(|_| UpstreamError::Silent(backend))?
        .map_err(|error| UpstreamError::tls(backend, error))
}
