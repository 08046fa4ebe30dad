//! Idle HTTP/1 connections to the backends. The most recently used one is used next, so that the others can expire.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use foldhash::fast::FixedState;
use http::{Request, Response};
use tokio::sync::Notify;

use super::http1::{Fault, Http1Body, Open, Shared};
use super::line::Line;
use super::place::Place;
use super::socket::Far;
use super::written;
use crate::limits::Limits;
use crate::message::head::Names;
use crate::message::hop_by_hop::informational_to_client;
use crate::message::interim::OnInterim;
use crate::message::request_body::RequestBody;
use crate::upstream::backend::{Backend, Endpoint};

/// An open HTTP/1 connection, for one request at a time.
pub(crate) struct Connection(Shared);

impl Connection {
    pub(super) fn new(line: Line<Far>, limits: &Limits) -> Self {
        Self(Rc::new(RefCell::new(Open::new(line, limits))))
    }

    /// Whether the next request can be sent. Wakes `waker` when that changes.
    fn is_ready(&self, waker: &Waker) -> bool {
        self.0.borrow_mut().is_ready(waker)
    }
}

/// The idle connections of one worker.
pub(crate) struct Pool {
    idle: RefCell<HashMap<Endpoint, OfBackend, FixedState>>,
    per_backend: usize,
    most: usize,
    /// Connections to all backends.
    count: Cell<usize>,
    /// How many connections ever became idle.
    ever: Cell<u64>,
    sweeps_kept: u64,
    sweeps: Cell<u64>,
    closed: Arc<Closed>,
    /// Wakes `closed`.
    waker: Waker,
}

/// Notified when one of the idle connections may have been closed.
#[derive(Default)]
struct Closed(Notify);

impl Wake for Closed {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.notify_one();
    }
}

/// The idle connections to one backend.
struct OfBackend {
    /// The backend as last used. Revisions may share a backend.
    backend: Arc<Backend>,
    stack: Vec<Idle>,
}

struct Idle {
    connection: Connection,
    /// The sweep count when it became idle. Saves reading the clock per request.
    since: u64,
    /// Its position in the order of becoming idle.
    nth: u64,
}

impl Pool {
    /// The interval between sweeps.
    pub(super) const SWEEP: Duration = Duration::from_secs(5);

    /// Keeps `most` connections at most.
    pub(super) fn new(limits: &Limits, most: usize) -> Self {
        let closed = Arc::<Closed>::default();
        Self {
            waker: Arc::clone(&closed).into(),
            closed,
            idle: RefCell::default(),
            per_backend: limits.backend_idle_connections,
            most,
            count: Cell::new(0),
            ever: Cell::new(0),
            sweeps_kept: Self::sweeps_kept(limits),
            sweeps: Cell::new(0),
        }
    }

    /// How many sweeps an idle connection survives.
    pub(super) fn sweeps_kept(limits: &Limits) -> u64 {
        let timeout = limits.backend_idle_timeout.as_secs();
        timeout.div_ceil(Self::SWEEP.as_secs())
    }

    pub(super) fn len(&self) -> usize {
        self.count.get()
    }

    /// The open connection to `backend` that became idle last.
    pub(super) fn take(&self, backend: &Endpoint) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let stack = &mut idle.get_mut(backend)?.stack;
        while let Some(Idle { connection, .. }) = stack.pop() {
            self.count.set(self.count.get() - 1);
            if connection.is_ready(Waker::noop()) {
                return Some(connection);
            }
        }
        None
    }

    fn put(&self, backend: &Arc<Backend>, connection: Connection) {
        if !backend.is_kept() || !connection.is_ready(&self.waker) {
            return;
        }
        if self.count.get() >= self.most {
            // Closes many at once, since finding the oldest visits all of them.
            self.close_oldest((self.most / 16).max(1));
            if self.count.get() >= self.most {
                return;
            }
        }
        let mut idle = self.idle.borrow_mut();
        let of_backend = match idle.get_mut(&backend.endpoint) {
            Some(of_backend) => of_backend,
            None => idle
                .entry(backend.endpoint.clone())
                .or_insert_with(|| OfBackend {
                    backend: Arc::clone(backend),
                    stack: Vec::new(),
                }),
        };
        if !Arc::ptr_eq(&of_backend.backend, backend) {
            of_backend.backend = Arc::clone(backend);
        }
        if of_backend.stack.len() < self.per_backend {
            of_backend.stack.push(Idle {
                connection,
                since: self.sweeps.get(),
                nth: self.ever.replace(self.ever.get() + 1),
            });
            self.count.set(self.count.get() + 1);
        }
    }

    /// Closes the `count` connections that have been idle the longest.
    pub(super) fn close_oldest(&self, count: usize) {
        let Some(last) = count.min(self.count.get()).checked_sub(1) else {
            return;
        };
        let idle = self.idle.borrow();
        let stacks = idle.values().flat_map(|of_backend| &of_backend.stack);
        let mut numbers: Vec<u64> = stacks.map(|idle| idle.nth).collect();
        drop(idle);
        let (_, &mut newest, _) = numbers.select_nth_unstable(last);
        self.retain(|_, idle| idle.nth > newest);
    }

    /// Closes connections to backends whose connections must not be kept.
    pub(super) fn close_unkept(&self) {
        self.retain(|backend, _| backend.is_kept());
    }

    /// Drops connections that have been idle for too long or were closed, and backends without any.
    pub(super) fn sweep(&self) {
        self.sweeps.set(self.sweeps.get() + 1);
        self.retain(|_, idle| {
            let is_recent = self.sweeps.get() - idle.since <= self.sweeps_kept;
            is_recent && idle.connection.is_ready(&self.waker)
        });
    }

    /// Waits until a backend closes an idle connection.
    ///
    /// Cancel-safe.
    pub(super) async fn closed(&self) {
        self.closed.0.notified().await;
    }

    /// Drops the connections that were closed.
    pub(super) fn drop_closed(&self) {
        self.retain(|_, idle| idle.connection.is_ready(&self.waker));
    }

    fn retain(&self, is_kept: impl Fn(&Backend, &Idle) -> bool) {
        let mut count = 0;
        self.idle.borrow_mut().retain(|_, of_backend| {
            let OfBackend { backend, stack } = of_backend;
            stack.retain(|idle| is_kept(backend, idle));
            count += stack.len();
            !stack.is_empty()
        });
        self.count.set(count);
    }
}

/// A connection in use by a request. Dropping it before it is given back closes the connection.
pub(crate) struct Checkout {
    pool: Rc<Pool>,
    backend: Arc<Backend>,
    connection: Option<Connection>,
    is_last: bool,
}

impl Checkout {
    pub(super) fn new(pool: Rc<Pool>, backend: Arc<Backend>, connection: Connection) -> Self {
        Self {
            pool,
            backend,
            connection: Some(connection),
            is_last: false,
        }
    }

    /// Sends the connection's request and waits for the head of the response. If `is_recorded`, the request head can
    /// be [read back](Self::read_back). Also returns the names of the response's headers as they were spelled.
    pub(super) async fn send(
        &self,
        mut request: Request<RequestBody>,
        is_recorded: bool,
    ) -> Result<(Response<Http1Body>, Names), Fault> {
        relay_to_http2(&mut request);
        let Connection(open) = self.connection();
        open.borrow_mut().begin(request, is_recorded);
        let (head, names) = poll_fn(|cx| open.borrow_mut().poll_head(cx)).await?;
        Ok((head.map(|()| Http1Body::new(open)), names))
    }

    /// Has the rest of the request sent, if the response has overtaken it. Returns whether it has.
    pub(super) fn upload_rest(&self) -> bool {
        Open::upload_rest(&self.connection().0)
    }

    fn connection(&self) -> &Connection {
        let connection = self.connection.as_ref();
        connection.expect("a connection is given back only after its request")
    }

    /// Closes the connection after this request.
    pub(super) fn retire(&mut self) {
        self.is_last = true;
    }

    /// The request that was sent, with `body`, if its head was recorded.
    pub(super) fn read_back(&self, body: RequestBody) -> Option<Request<RequestBody>> {
        let open = self.connection().0.borrow();
        written::read_back(open.recorded()?, body)
    }

    pub(super) fn place(&self) -> &Place {
        &self.backend.endpoint.place
    }

    /// Whether a byte of the response has arrived.
    pub(super) fn has_response(&self) -> bool {
        self.connection().0.borrow().has_response()
    }

    /// Returns the connection to the pool if response and request are both complete. Does nothing while the request
    /// is still being sent.
    pub(crate) fn give_back(&mut self) {
        let is_idle = |it: &mut Connection| it.0.borrow().is_idle();
        if !self.is_last
            && let Some(connection) = self.connection.take_if(is_idle)
        {
            connection.0.borrow_mut().rest();
            self.pool.put(&self.backend, connection);
        }
    }

    /// Whether the rest of the request is still being sent.
    pub(super) fn is_uploading(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_some_and(|it| it.0.borrow().is_uploading())
    }

    /// Ready when the rest of the request was sent after a complete response, or cannot be sent.
    pub(super) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.connection {
            Some(connection) => connection.0.borrow_mut().poll_uploaded(cx),
            None => Poll::Ready(()),
        }
    }

    /// Takes the connection, which has left HTTP, with what was already read.
    pub(super) fn take_line(&mut self) -> Option<(Line<Far>, Bytes)> {
        self.connection.take()?.0.borrow_mut().take_line()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.0.borrow_mut().close();
        }
    }
}

/// Forwards the informational responses of an HTTP/1 backend if the client speaks HTTP/2.
fn relay_to_http2(request: &mut Request<RequestBody>) {
    let Some(interim) = request.body().interim().cloned() else {
        return;
    };
    let on_interim = OnInterim::new(move |response| {
        let mut headers = response.headers().clone();
        informational_to_client(&mut headers);
        interim.on_arrival(response.status(), headers);
    });
    request.extensions_mut().insert(on_interim);
}
