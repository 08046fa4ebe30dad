//! New connections to backends.

use std::io;
use std::net::SocketAddr;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::{Connection, UpstreamError};
use crate::revision::backend::Endpoint;
use crate::server::limits::Limits;
use crate::server::listen;
use crate::tls::{ALPN_HTTP1, BackendTls};

/// Opens a connection of HTTP/1; a task of the current worker drives it until it is closed.
pub(super) async fn connect(
    http: &http1::Builder,
    backend: Endpoint,
    tls: Option<&BackendTls>,
    limits: Limits,
) -> Result<Connection, UpstreamError> {
    let address = backend.address;
    let failed = |error| UpstreamError::Connect {
        backend: address,
        source: error,
    };
    let late = |_| failed(io::ErrorKind::TimedOut.into());
    if !backend.tls {
        let connecting = timeout(limits.connect_timeout, socket(address));
        let socket = connecting.await.map_err(late)?.map_err(failed)?;
        return open(http, address, socket).await;
    }
    let connecting = timeout(limits.connect_timeout, private(address, tls, ALPN_HTTP1));
    open(http, address, connecting.await.map_err(late)??).await
}

async fn open(
    http: &http1::Builder,
    backend: SocketAddr,
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
) -> Result<Connection, UpstreamError> {
    let (connection, driver) = http
        .handshake(TokioIo::new(stream))
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

/// Connects and agrees on TLS, to speak `protocol`, in whatever time it takes.
pub(super) async fn private(
    backend: SocketAddr,
    tls: Option<&BackendTls>,
    protocol: &[u8],
) -> Result<TlsStream<TcpStream>, UpstreamError> {
    let tls = tls.ok_or(UpstreamError::NoAuthorities(backend))?;
    let socket = socket(backend)
        .await
        .map_err(|source| UpstreamError::Connect { backend, source })?;
    let connected = tls.connect(socket, protocol).await;
    connected.map_err(|error| UpstreamError::tls(backend, error))
}
