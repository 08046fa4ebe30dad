//! One HTTP/2 connection to a backend: opened, driven, and given out place by place.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{Ping, PingPong};
use rustls::AlertDescription;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::super::connect;
use super::super::error::UpstreamError;
use super::super::line::Line;
use super::super::recall::Recall;
use super::Count;
use crate::frames::{Flood, Frames};
use crate::limits::Limits;
use crate::tls::{ALPN_HTTP2, BackendTls};
use crate::upstream::backend::Backend;

/// How many requests that were given up are remembered, and for how long their responses may still come.
const RESETS: usize = 1_000;
const RESET_FOR: Duration = Duration::from_secs(10);

/// A connection; it is closed when nobody holds it any more.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    /// How many requests the backend takes at once.
    most: watch::Receiver<usize>,
    under_way: Rc<Cell<usize>>,
    sweeps_idle: Cell<u64>,
    /// A request on it got a response.
    is_used: Cell<bool>,
    driver: AbortHandle,
    freed: Rc<Notify>,
    _counted: [Count; 2],
}

/// One request's place on a connection, until it is dropped.
pub(super) struct StreamPermit(Rc<Connection>);

/// Why there is no connection, for all who have waited for it.
#[derive(Clone, Debug)]
pub(super) enum NotOpened {
    OutOfDescriptors,
    Connect(io::ErrorKind),
    NoAuthorities,
    Tls(rustls::Error),
    Silent,
    /// The backend has closed it instead of saying what it takes.
    Closed,
}

impl NotOpened {
    pub(super) fn of(self, backend: SocketAddr) -> UpstreamError {
        match self {
            Self::OutOfDescriptors => UpstreamError::OutOfDescriptors(backend),
            Self::Connect(kind) => UpstreamError::Connect {
                backend,
                source: kind.into(),
            },
            Self::NoAuthorities => UpstreamError::NoAuthorities(backend),
            Self::Tls(source) => UpstreamError::Tls { backend, source },
            Self::Silent => UpstreamError::Silent(backend),
            Self::Closed => UpstreamError::NoHttp2(backend),
        }
    }
}

impl From<UpstreamError> for NotOpened {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::OutOfDescriptors(_) => Self::OutOfDescriptors,
            UpstreamError::Connect { source, .. } => Self::Connect(source.kind()),
            UpstreamError::NoAuthorities(_) => Self::NoAuthorities,
            UpstreamError::Tls {
                source: rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol),
                ..
            } => Self::Closed,
            UpstreamError::Tls { source, .. } => Self::Tls(source),
            UpstreamError::Silent(_) => Self::Silent,
            _ => Self::Closed,
        }
    }
}

impl Connection {
    /// Connects, and waits until the backend has said how many requests it takes: what is sent
    /// before that might be more.
    pub(super) async fn open(
        backend: &Arc<Backend>,
        tls: Option<&BackendTls>,
        limits: Limits,
        counted: [Count; 2],
        freed: Rc<Notify>,
        recall: &Recall,
    ) -> Result<Rc<Self>, NotOpened> {
        let address = backend.endpoint.address;
        let until = Instant::now() + limits.connect_timeout;
        let connection = match &backend.endpoint.tls {
            None => {
                let socket = connect::socket(address, until, recall).await?;
                Self::handshake(backend, Line::shared(socket), limits, counted, freed).await?
            }
            Some(namespace) => {
                let stream =
                    connect::private(address, namespace, tls, ALPN_HTTP2, until, recall).await?;
                Self::handshake(backend, Line::shared(stream), limits, counted, freed).await?
            }
        };
        let mut most = connection.most.clone();
        let settling = timeout_at(until, most.wait_for(|&most| most > 0)).await;
        let settled = settling.map_err(|_| NotOpened::Silent)?;
        settled.map_err(|_| NotOpened::Closed)?;
        Ok(Rc::new(connection))
    }

    async fn handshake(
        backend: &Arc<Backend>,
        stream: impl AsyncRead + AsyncWrite + Unpin + 'static,
        limits: Limits,
        counted: [Count; 2],
        freed: Rc<Notify>,
    ) -> Result<Self, NotOpened> {
        let head = u32::try_from(limits.max_header_size).unwrap_or(u32::MAX);
        let (stream, flood) = Frames::of_client(stream);
        let (requests, mut connection) = client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(0)
            // What still comes on streams that were reset is ignored. h2 would count for the connection's
            // life what comes later than it remembers.
            .max_concurrent_reset_streams(RESETS)
            .reset_stream_duration(RESET_FOR)
            .max_local_error_reset_streams(None)
            .max_header_list_size(head)
            .max_send_buffer_size(limits.http2_window as usize)
            .initial_window_size(limits.http2_window)
            // An answer that its client does not read never holds up those of other clients.
            .initial_connection_window_size(
                limits.http2_connection_window(limits.backend_max_streams),
            )
            .handshake(stream)
            .await
            .map_err(|_| NotOpened::Closed)?;
        let (allowed, most) = watch::channel(0);
        let under_way = Rc::new(Cell::new(0));
        let pings = connection
            .ping_pong()
            .expect("the first one to ask for it gets it");
        let alive = keep_alive(pings, Rc::clone(&under_way), limits);
        let told = Arc::clone(backend);
        let backend = backend.endpoint.address;
        let freeing = Rc::clone(&freed);
        let driver = tokio::task::spawn_local(async move {
            let most = limits.backend_max_streams as usize;
            tokio::select! {
                end = drive(connection, allowed, most, &freeing, flood) => match end {
                    End::Closed(Ok(())) => {}
                    End::Closed(Err(error)) => {
                        tracing::debug!(%backend, %error, "connection to a backend ended early");
                    }
                    End::Flood if told.may_tell() => {
                        tracing::warn!(%backend, "a backend floods its connection with frames: closing it");
                    }
                    End::Flood => {}
                },
                () = alive => if told.may_tell() {
                    tracing::warn!(%backend, "a backend gives no sign of life: closing its connection");
                },
            }
            // There may be another one instead.
            freeing.notify_one();
        });
        Ok(Self {
            requests,
            most,
            under_way,
            sweeps_idle: Cell::new(0),
            is_used: Cell::new(false),
            driver: driver.abort_handle(),
            freed,
            _counted: counted,
        })
    }

    /// Whether it takes further requests: not once the backend has said goodbye.
    pub(super) fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let ready = self.requests.clone().poll_ready(&mut cx);
        matches!(ready, Poll::Ready(Ok(())))
    }

    pub(super) fn place(self: &Rc<Self>) -> Option<StreamPermit> {
        let taken = self.under_way.get();
        (taken < *self.most.borrow()).then(|| {
            self.under_way.set(taken + 1);
            StreamPermit(Rc::clone(self))
        })
    }

    /// Whether there is no request on it.
    pub(super) fn is_idle(&self) -> bool {
        self.under_way.get() == 0
    }

    /// Whether it is idle because the backend takes no request on it.
    pub(super) fn is_starved(&self) -> bool {
        self.is_idle() && *self.most.borrow() == 0
    }

    /// For how many sweeps, this one included, there has been no request on it.
    pub(super) fn sweeps_idle(&self) -> u64 {
        let sweeps = match self.under_way.get() {
            0 => self.sweeps_idle.get() + 1,
            _ => 0,
        };
        self.sweeps_idle.set(sweeps);
        sweeps
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl StreamPermit {
    pub(super) fn requests(&self) -> SendRequest<Bytes> {
        self.0.requests.clone()
    }

    /// Whether some request on the connection got a response.
    pub(super) fn is_used(&self) -> bool {
        self.0.is_used.get()
    }

    /// This one gets one.
    pub(super) fn on_response(&self) {
        self.0.is_used.set(true);
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        self.0.sweeps_idle.set(0);
        self.0.freed.notify_one();
    }
}

/// How a connection has ended.
enum End {
    Closed(Result<(), h2::Error>),
    Flood,
}

/// Drives a connection to its end, and tells how many requests it may have under way.
async fn drive(
    mut connection: client::Connection<impl AsyncRead + AsyncWrite + Unpin, Bytes>,
    allowed: watch::Sender<usize>,
    most: usize,
    freed: &Notify,
    flood: Flood,
) -> End {
    poll_fn(|cx| {
        let polled = Pin::new(&mut connection).poll(cx);
        if flood.has_come() {
            return Poll::Ready(End::Flood);
        }
        let now = connection.max_concurrent_send_streams().min(most);
        let before = *allowed.borrow();
        if now != before {
            allowed.send_replace(now);
            for _ in before..now {
                freed.notify_one();
            }
        }
        polled.map(End::Closed)
    })
    .await
}

/// Ends when the backend owes a sign of life for too long. An idle connection need not give any.
async fn keep_alive(mut pings: PingPong, under_way: Rc<Cell<usize>>, limits: Limits) {
    loop {
        sleep(limits.backend_ping_interval).await;
        if under_way.get() == 0 {
            continue;
        }
        let answer = timeout(limits.http2_ping_timeout, pings.ping(Ping::opaque()));
        if !matches!(answer.await, Ok(Ok(_))) {
            return;
        }
    }
}
