//! New connections to backends.

use std::io;
use std::net::SocketAddr;

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Connection, UpstreamError};
use crate::revision::backend::Endpoint;
use crate::server::limits::Limits;
use crate::server::listen;
use crate::tls::BackendTls;

/// How ALPN calls HTTP/1.1.
const HTTP_1_1: &[u8] = b"http/1.1";

/// Opens a connection; a task of the current worker drives it until it is closed.
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
        let connecting = timeout(limits.connect_timeout, tcp(address));
        let socket = connecting.await.map_err(late)?.map_err(failed)?;
        return open(http, address, socket).await;
    }
    let tls = tls.ok_or(UpstreamError::NoAuthorities(address))?;
    let connecting = timeout(limits.connect_timeout, async {
        let socket = tcp(address).await.map_err(failed)?;
        let connected = tls.connect(socket, HTTP_1_1).await;
        connected.map_err(|error| UpstreamError::tls(address, error))
    });
    open(http, address, connecting.await.map_err(late)??).await
}

async fn tcp(backend: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(backend).await?;
    listen::tune(&socket)?;
    Ok(socket)
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
