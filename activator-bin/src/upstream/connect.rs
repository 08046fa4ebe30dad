//! New connections to backends.

use std::io;
use std::net::SocketAddr;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Connection, UpstreamError};
use crate::server::limits::Limits;
use crate::server::listen;

/// Opens a connection of HTTP/1; a task of the current worker drives it until it is closed.
pub(super) async fn connect(
    http: &http1::Builder,
    backend: SocketAddr,
    limits: Limits,
) -> Result<Connection, UpstreamError> {
    let failed = |error| UpstreamError::Connect {
        backend,
        source: error,
    };
    let socket = timeout(limits.connect_timeout, socket(backend))
        .await
        .map_err(|_| failed(io::ErrorKind::TimedOut.into()))?
        .map_err(failed)?;
    let (connection, driver) = http
        .handshake(TokioIo::new(socket))
        .await
        .map_err(|error| UpstreamError::exchange(backend, error))?;
    tokio::task::spawn_local(async move {
        // Whoever waits for an answer hears of it as well.
        if let Err(error) = driver.with_upgrades().await {
            tracing::debug!(%backend, %error, "connection to a backend ended early");
        }
    });
    Ok(connection)
}

/// Connects, in whatever time it takes.
pub(super) async fn socket(backend: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(backend).await?;
    listen::tune(&socket)?;
    Ok(socket)
}
