//! New connections to backends.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::UpstreamError;
use super::error::Missing;
use super::line::Line;
use super::place::Place;
use super::pool::Connection;
use super::recall::Recall;
use super::socket::{self, Socket};
use crate::limits::Limits;
use crate::os::open_files;
use crate::tls::{ALPN_HTTP1, BackendTls};
use crate::upstream::backend::{Endpoint, OverTls};

/// Pauses in milliseconds, after each attempt that found no free descriptor.
const SCARCITY_PAUSES: [u64; 6] = [1, 5, 10, 20, 40, 80];

/// Opens a connection for HTTP/1.
pub(super) async fn connect(
    backend: &Endpoint,
    tls: Option<&BackendTls>,
    limits: &Limits,
    recall: &Recall,
) -> Result<Connection, UpstreamError> {
    let place = &backend.place;
    let until = Instant::now() + limits.connect_timeout;
    let stream = match &backend.tls {
        None => Either::Left(socket(place, until, recall).await?),
        Some(over) => {
            let stream = private(over, tls, ALPN_HTTP1, until, recall).await?;
            Either::Right(Box::new(stream))
        }
    };
    Ok(Connection::new(Line::new(stream), limits))
}

/// Connects. If the process is out of descriptors, closes idle backend connections first.
pub(super) async fn socket(
    backend: &Place,
    until: Instant,
    recall: &Recall,
) -> Result<Socket, UpstreamError> {
    establish(backend, || socket::connect(backend), until, recall).await
}

async fn establish<S, C: Future<Output = io::Result<S>>>(
    backend: &Place,
    connect: impl Fn() -> C,
    until: Instant,
    recall: &Recall,
) -> Result<S, UpstreamError> {
    for pause in SCARCITY_PAUSES.map(Duration::from_millis) {
        let connected = timeout_at(until, connect()).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Err(error) if open_files::is_scarcity(&error) => {
                // Other workers may have idle connections to close, which takes a moment.
                recall.on_scarcity();
                sleep(pause).await;
            }
            Err(source) => {
                let backend = Box::new(backend.clone());
                return Err(UpstreamError::Connect { backend, source });
            }
            Ok(socket) => return Ok(socket),
        }
    }
    Err(UpstreamError::OutOfDescriptors(backend.clone().into()))
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
    let backend = Place::from(*address);
    let missing = |what| UpstreamError::NoAuthorities(backend.clone().into(), what);
    let tls = tls.ok_or_else(|| missing(Missing::Setting))?;
    let trusted = tls.trusted().ok_or_else(|| missing(Missing::Objects))?;
    let connect = || socket::over_tcp(*address);
    let socket = establish(&backend, connect, until, recall).await?;
    timeout_at(until, tls.connect(&trusted, socket, namespace, protocol))
        .await
        .map_err(|_| UpstreamError::Silent(backend.clone().into()))?
        .map_err(|error| UpstreamError::tls(&backend, error))
}
