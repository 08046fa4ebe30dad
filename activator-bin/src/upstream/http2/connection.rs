//! One HTTP/2 connection to a backend: opens it, drives it, and hands out its streams.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
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
use super::super::error::{Missing, UpstreamError};
use super::super::line::Line;
use super::super::place::Place;
use super::super::recall::Recall;
use super::Count;
use crate::frames::{Flood, Frames};
use crate::limits::Limits;
use crate::tls::{ALPN_HTTP2, BackendTls};
use crate::upstream::backend::Backend;

/// How many reset streams are remembered, and for how long their frames may still arrive.
const RESETS: usize = 1_000;
const RESET_FOR: Duration = Duration::from_secs(10);

/// A connection. It is closed when its last reference is dropped.
pub(super) struct Connection {
    requests: SendRequest<Bytes>,
    /// How many concurrent streams the backend allows.
    most: watch::Receiver<usize>,
    under_way: Rc<Cell<usize>>,
    sweeps_idle: Cell<u64>,
    /// Whether a request on it got a response.
    is_used: Cell<bool>,
    driver: AbortHandle,
    freed: Rc<Notify>,
    _counted: [Count; 2],
}

/// The right to one stream on a connection, until it is dropped.
pub(super) struct StreamPermit(Rc<Connection>);

/// Why there is no connection, for everyone who waited for it.
#[derive(Clone, Debug)]
pub(super) enum NotOpened {
    OutOfDescriptors,
    Connect(io::ErrorKind),
    NoAuthorities(Missing),
    Tls(rustls::Error),
    Silent,
    /// The backend closed it before its SETTINGS arrived.
    Closed,
}

impl NotOpened {
    pub(super) fn of(self, backend: &Place) -> UpstreamError {
        let backend = Box::new(backend.clone());
        match self {
            Self::OutOfDescriptors => UpstreamError::OutOfDescriptors(backend),
            Self::Connect(kind) => UpstreamError::Connect {
                backend,
                source: kind.into(),
            },
            Self::NoAuthorities(missing) => UpstreamError::NoAuthorities(backend, missing),
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
            UpstreamError::NoAuthorities(_, missing) => Self::NoAuthorities(missing),
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
    /// Connects, and waits for the backend's SETTINGS: requests sent earlier might exceed its stream limit.
    pub(super) async fn open(
        backend: &Arc<Backend>,
        tls: Option<&BackendTls>,
        limits: Limits,
        counted: [Count; 2],
        freed: Rc<Notify>,
        recall: &Recall,
    ) -> Result<Rc<Self>, NotOpened> {
        let until = Instant::now() + limits.connect_timeout;
        let connection = match &backend.endpoint.tls {
            None => {
                let socket = connect::socket(&backend.endpoint.place, until, recall).await?;
                Self::handshake(backend, Line::shared(socket), limits, counted, freed).await?
            }
            Some(over) => {
                let stream = connect::private(over, tls, ALPN_HTTP2, until, recall).await?;
                Self::handshake(backend, Line::shared(stream), limits, counted, freed).await?
            }
        };
        let mut most = connection.most.clone();
        timeout_at(until, most.wait_for(|&most| most > 0))
            .await
            .map_err(|_| NotOpened::Silent)?
            .map_err(|_| NotOpened::Closed)?;
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
            // Late frames on reset streams are ignored. Frames later than h2 remembers would count against the
            // connection for its whole life.
            .max_concurrent_reset_streams(RESETS)
            .reset_stream_duration(RESET_FOR)
            .max_local_error_reset_streams(None)
            .max_header_list_size(head)
            .max_send_buffer_size(limits.http2_window as usize)
            .initial_window_size(limits.http2_window)
            // A response that its client does not read never blocks those of other clients.
            .initial_connection_window_size(
                limits.http2_connection_window(limits.backend_max_streams),
            )
            .handshake(stream)
            .await
            .map_err(|_| NotOpened::Closed)?;
        let (allowed, most) = watch::channel(0);
        let under_way = Rc::new(Cell::new(0));
        let pings = connection.ping_pong().expect("it is taken only once");
        let alive = keep_alive(pings, Rc::clone(&under_way), limits);
        let place = backend.endpoint.place.clone();
        let backend = Arc::clone(backend);
        let freeing = Rc::clone(&freed);
        let driver = tokio::task::spawn_local(async move {
            let most = limits.backend_max_streams as usize;
            tokio::select! {
                end = drive(connection, allowed, most, &freeing, flood) => match end {
                    End::Closed(Ok(())) => {}
                    End::Closed(Err(error)) => {
                        tracing::debug!(backend = %place, %error, "backend connection ended with an error");
                    }
                    End::Flood if backend.may_log() => {
                        tracing::warn!(backend = %place, "backend floods its HTTP/2 connection with frames: closing it");
                    }
                    End::Flood => {}
                },
                () = alive => if backend.may_log() {
                    tracing::warn!(backend = %place, "backend does not answer HTTP/2 pings: closing its connection");
                },
            }
            // The next request may open another connection.
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

    /// Whether it accepts further requests. False after GOAWAY.
    pub(super) fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let ready = self.requests.clone().poll_ready(&mut cx);
        matches!(ready, Poll::Ready(Ok(())))
    }

    pub(super) fn permit(self: &Rc<Self>) -> Option<StreamPermit> {
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

    /// Whether it is idle because the backend allows no streams.
    pub(super) fn is_starved(&self) -> bool {
        self.is_idle() && *self.most.borrow() == 0
    }

    /// The number of consecutive sweeps, including this one, during which it was idle.
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

    /// Whether any request on the connection got a response.
    pub(super) fn is_used(&self) -> bool {
        self.0.is_used.get()
    }

    /// This request got a response.
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

/// How a connection ended.
enum End {
    Closed(Result<(), h2::Error>),
    Flood,
}

/// Drives a connection to its end, and publishes how many streams it may have.
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

/// Returns when the backend fails to answer a ping in time. Idle connections are not pinged.
async fn keep_alive(mut pings: PingPong, under_way: Rc<Cell<usize>>, limits: Limits) {
    loop {
        sleep(limits.backend_ping_interval).await;
        if under_way.get() == 0 {
            continue;
        }
        let pong = timeout(limits.http2_ping_timeout, pings.ping(Ping::opaque()));
        if !matches!(pong.await, Ok(Ok(_))) {
            return;
        }
    }
}
