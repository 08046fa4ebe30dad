//! One client connection, from accept to close.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use reporter_metrics::{ErrorMetrics, HandshakeMetrics, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::bad_head::BadHead;
use super::connection_limit::Permit;
use super::detect::detect;
use super::end::End;
use super::handshake;
use super::http_io::HttpIo;
use super::http1::{self, Http1};
use super::http2::{self, Http2};
use super::protocol::ClientProtocol;
use super::socket::Socket;
use super::timer::Timer;
use crate::client::{Client, Phase};
use crate::drain::Draining;
use crate::limits::Limits;
use crate::proxy::Proxy;
use crate::tls::Certificates;

/// What all connections share.
pub(super) struct Http {
    http1: Http1,
    http2: Rc<Http2>,
    pub(super) limits: Limits,
    handshakes: HandshakeMetrics,
    errors: ErrorMetrics,
}

impl Http {
    pub(super) fn new(
        limits: &Limits,
        draining: &Draining,
        handshakes: HandshakeMetrics,
        errors: ErrorMetrics,
    ) -> Self {
        Self {
            http1: Http1::new(limits, errors.clone()),
            http2: Rc::new(Http2::new(limits, draining.clone())),
            limits: *limits,
            handshakes,
            errors,
        }
    }
}

/// Serves a connection until either side closes it, then drops `held`.
///
/// Dropping this at any point closes the connection and ends its requests.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    held: (Permit, mpsc::Sender<Infallible>),
    tls: Option<Arc<Certificates>>,
    http: Rc<Http>,
    proxy: Rc<Proxy>,
    draining: Draining,
) {
    let scheme = match tls {
        Some(_) => Scheme::Https,
        None => Scheme::Http,
    };
    let (read, write) = socket.into_split();
    let client = Rc::new(Client::new(
        peer,
        write,
        scheme,
        Arc::clone(&held.0.idleness),
    ));
    let stream = Socket::new(read, Rc::clone(&client), http.limits.body_idle_timeout);
    let mut head = Timer::default();
    let end = match tls {
        None => {
            let wire = HttpIo::new(stream, Rc::clone(&client));
            speak(
                wire,
                ClientProtocol::Detect,
                &http,
                proxy,
                &client,
                draining,
                head,
            )
            .await
        }
        Some(tls) => {
            let limit = http.limits.header_timeout;
            match handshake::accept(&tls, stream, draining.clone(), &mut head, limit).await {
                Ok(stream) => {
                    let protocol = ClientProtocol::agreed(stream.get_ref().1.alpn_protocol());
                    let wire = HttpIo::new(stream, Rc::clone(&client));
                    speak(wire, protocol, &http, proxy, &client, draining, head).await
                }
                Err(error) => {
                    http.handshakes.failed();
                    End::NoTls(error)
                }
            }
        }
    };
    match &end {
        End::Closed(Ok(())) | End::Http2(Ok(())) | End::Switched(Ok(())) => {}
        End::NoTls(error) => tracing::debug!(client = %peer, %error, "TLS handshake failed"),
        end => tracing::debug!(client = %peer, ?end, "connection ended early"),
    }
    if matches!(end, End::Closed(Ok(())) | End::Switched(Ok(()))) {
        client.on_complete();
    }
}

/// Serves requests over `wire`. `head` times the first head and may already run.
async fn speak<I>(
    mut wire: HttpIo<I>,
    protocol: ClientProtocol,
    http: &Http,
    proxy: Rc<Proxy>,
    client: &Rc<Client>,
    mut draining: Draining,
    mut head: Timer,
) -> End
where
    I: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let timeout = http.limits.header_timeout;
    let spoken = match protocol {
        ClientProtocol::Http1 => Ok(ClientProtocol::Http1),
        // Also when ALPN selected HTTP/2: this bounds the wait for the preface.
        _ => detect(&mut wire, client, &mut draining, &mut head, timeout).await,
    };
    match spoken {
        Err(End::HeadTimeout)
            if protocol != ClientProtocol::Http2 && client.phase() == Phase::Head =>
        {
            let refusal = BadHead::late(timeout);
            http1::refuse(refusal, wire.stream(), &http.errors, client).await;
            End::HeadTimeout
        }
        Err(end) => end,
        Ok(ClientProtocol::Http1) if protocol != ClientProtocol::Http2 => {
            http1::serve(wire, &http.http1, proxy, client, draining, head).await
        }
        Ok(_) => {
            client.on_http2();
            let http2 = Rc::clone(&http.http2);
            let end = Box::pin(http2.serve(wire, &proxy, client)).await;
            if let Some(reason) = http2::refusal(&end) {
                http.errors.count(reason);
            }
            end
        }
    }
}
