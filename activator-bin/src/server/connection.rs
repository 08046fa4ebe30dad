//! One client's connection, from accept to close.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::client::{Client, Phase};
use super::stream::Stream;
use crate::drain::Draining;
use crate::proxy::Proxy;

/// How long a request whose head is on its way may take to begin once a drain has begun.
const LAST_HEAD: Duration = Duration::from_millis(500);

/// Serves a connection until either side ends it.
///
/// Dropping this at any point closes the connection and ends its request.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    http: http1::Builder,
    proxy: Rc<Proxy>,
    draining: Draining,
    head_timeout: Duration,
) {
    let (read, write) = socket.into_split();
    let client = Arc::new(Client::new(peer.ip(), write));
    let service = {
        let client = Arc::clone(&client);
        service_fn(move |request: Request<Incoming>| {
            let (proxy, client) = (Rc::clone(&proxy), Arc::clone(&client));
            async move { Ok::<_, Infallible>(proxy.answer(request, &client).await) }
        })
    };
    let stream = Stream::new(read, Arc::clone(&client));
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let end = run(connection, &client, draining, head_timeout).await;
    match &end {
        End::Closed(Ok(())) => {}
        end => tracing::debug!(client = %peer, ?end, "connection ended early"),
    }
    if let Some(client) = Arc::into_inner(client) {
        client.close(matches!(end, End::Closed(Ok(()))));
    }
}

/// How a connection ended.
#[derive(Debug)]
enum End {
    /// In HTTP's own ways.
    Closed(hyper::Result<()>),
    /// The client has gone away.
    ClientGone,
    /// The client was too slow in sending a head.
    HeadTimeout,
    /// An answer was not to be finished.
    Cut,
}

/// Drives `connection` and drops it at its end, with whatever it still held.
async fn run<S>(
    connection: http1::Connection<TokioIo<Stream>, S>,
    client: &Client,
    mut draining: Draining,
    head_timeout: Duration,
) -> End
where
    S: hyper::service::HttpService<Incoming, ResBody = crate::body::Body, Error = Infallible>,
{
    let mut connection = pin!(connection);
    let mut gone = pin!(client.gone());
    let mut drain_begun = pin!(draining.begun());
    let mut last_head = Timer::default();
    let mut head = Timer::default();
    let (mut is_draining, mut is_last) = (false, false);
    poll_fn(|cx| {
        if gone.as_mut().poll(cx).is_ready() {
            return Poll::Ready(End::ClientGone);
        }
        if client.is_cut() {
            return Poll::Ready(End::Cut);
        }
        is_draining = is_draining || drain_begun.as_mut().poll(cx).is_ready();
        loop {
            if let Poll::Ready(end) = connection.as_mut().poll(cx) {
                return Poll::Ready(End::Closed(end));
            }
            if !is_draining || is_last {
                break;
            }
            // Hyper would throw away a head that is on its way, and the client could not know why.
            let head_expected = matches!(client.phase(), Phase::New | Phase::Head);
            if head_expected && last_head.poll(cx, LAST_HEAD).is_pending() {
                break;
            }
            connection.as_mut().graceful_shutdown();
            is_last = true;
        }
        match client.phase() {
            Phase::New | Phase::Head => head.poll(cx, head_timeout).map(|()| End::HeadTimeout),
            Phase::Request | Phase::Idle => {
                head.disarm();
                Poll::Pending
            }
        }
    })
    .await
}

/// A timer that costs nothing until it is asked for: nearly all heads come in one piece.
#[derive(Default)]
struct Timer(Option<Pin<Box<Sleep>>>);

impl Timer {
    /// Ready `timeout` after the first call since it was disarmed.
    fn poll(&mut self, cx: &mut Context<'_>, timeout: Duration) -> Poll<()> {
        let timer = self.0.get_or_insert_with(|| Box::pin(sleep(timeout)));
        timer.as_mut().poll(cx)
    }

    fn disarm(&mut self) {
        self.0 = None;
    }
}
