//! From an address to an open WebSocket: look-up, TCP, TLS, handshake.

use std::io;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::LinkFailure;
use super::endpoint::Endpoint;
use super::look_up::LookUp;
use super::race;
use super::tls::Tls;
use super::wire;

/// A receiver sends only pongs and a close frame, both at most 125 bytes.
const READ_MAX: usize = 4 * 1024;
/// Room for pongs to the peer's pings, on top of a frame.
const PONGS_MAX: usize = 16 * 1024;
/// The wait for one address before the next is tried as well (RFC 8305).
const STAGGER: Duration = Duration::from_millis(250);

pub(super) type Socket = WebSocketStream<Box<dyn Transport>>;

/// TCP, or TLS on it.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Makes connections to one peer.
#[derive(Debug)]
pub(super) struct Connector {
    pub(super) endpoint: Endpoint,
    pub(super) look_up: LookUp,
    /// Connections that did not become a WebSocket.
    pub(super) failed: AtomicUsize,
    /// Set for `wss://`.
    pub(super) tls: Option<Tls>,
    pub(super) handshake_timeout: Duration,
    /// The most bytes of one frame's payload.
    pub(super) frame_max: usize,
}

impl Connector {
    pub(super) fn frame_max(pod_name: &str, max_frame_messages: usize) -> usize {
        max_frame_messages * (wire::MESSAGE_MAX + pod_name.len())
    }

    /// Tries once.
    ///
    /// Cancel-safe: of a dropped attempt only a look-up remains, for which the next one waits.
    pub(super) async fn connect(&self) -> Result<Socket, LinkFailure> {
        let limit = self.handshake_timeout;
        match timeout(limit, self.try_connect()).await {
            Ok(result) => result,
            Err(_) => Err(LinkFailure::HandshakeTimeout { limit }),
        }
    }

    async fn try_connect(&self) -> Result<Socket, LinkFailure> {
        let tcp = self.connect_tcp().await?;
        // If this fails, the next attempt starts with another address.
        let failed = self.failed.fetch_add(1, Relaxed);
        let transport: Box<dyn Transport> = match &self.tls {
            None => Box::new(tcp),
            Some(tls) => Box::new(self.start_tls(tls, tcp).await?),
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_MAX)
            .max_frame_size(Some(READ_MAX))
            .max_message_size(Some(READ_MAX))
            // A frame and its ping are sent together, at the flush.
            .write_buffer_size(self.frame_max + PONGS_MAX)
            .max_write_buffer_size(self.frame_max + 2 * PONGS_MAX);
        let request = self.endpoint.uri.clone();
        let (socket, _) = client_async_with_config(request, transport, Some(config)).await?;
        self.failed.store(failed, Relaxed);
        Ok(socket)
    }

    async fn connect_tcp(&self) -> Result<TcpStream, LinkFailure> {
        let Endpoint { host, port, .. } = &self.endpoint;
        let look_up = self.look_up.addresses(host, *port).await;
        let found = look_up.map_err(|error| LinkFailure::LookUp {
            host: host.clone(),
            error,
        })?;
        let addresses = race::order(found, self.failed.load(Relaxed));
        // Each address gets its turn, however short the timeout.
        let shares = u32::try_from(addresses.len() + 1).unwrap_or(u32::MAX);
        let stagger = STAGGER.min(self.handshake_timeout / shares);
        let tcp = race::connect(addresses, stagger, TcpStream::connect);
        let tcp = tcp.await.map_err(LinkFailure::Connect)?;
        // A first request's message must not wait for further data.
        tcp.set_nodelay(true).map_err(LinkFailure::Connect)?;
        Ok(tcp)
    }

    async fn start_tls(
        &self,
        tls: &Tls,
        tcp: TcpStream,
    ) -> Result<TlsStream<TcpStream>, LinkFailure> {
        let config = tls.client_config()?;
        let name = ServerName::try_from(self.endpoint.host.clone())
            .map_err(|error| LinkFailure::Tls(io::Error::other(error)))?;
        let connector = TlsConnector::from(config);
        connector.connect(name, tcp).await.map_err(LinkFailure::Tls)
    }
}
