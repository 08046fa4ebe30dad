//! Idle HTTP/1 connections to the backends: the one that was used last is used next, so that the others can expire.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use foldhash::fast::FixedState;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::SendRequest;
use tokio::task::AbortHandle;

use super::line::Traffic;
use crate::revision::backend::Endpoint;
use crate::server::limits::Limits;
use crate::upload::Upload;

/// An open connection of HTTP/1, ready for one request at a time.
pub(crate) struct Connection {
    requests: SendRequest<Upload>,
    /// Hyper's part, a task of the current worker. By itself it never ends while the backend takes nothing.
    driver: AbortHandle,
    traffic: Arc<Traffic>,
}

impl Connection {
    pub(super) fn new(
        requests: SendRequest<Upload>,
        driver: AbortHandle,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self {
            requests,
            driver,
            traffic,
        }
    }

    fn is_ready(&self) -> bool {
        self.requests.is_ready()
    }
}

/// One worker's idle connections.
pub(crate) struct Pool {
    idle: RefCell<HashMap<Endpoint, Vec<Idle>, FixedState>>,
    per_backend: usize,
    sweeps_kept: u64,
    sweeps: Cell<u64>,
}

struct Idle {
    connection: Connection,
    /// The number of sweeps before it became idle: no clock is read on a request's way.
    since: u64,
}

impl Pool {
    /// How often to sweep.
    pub(crate) const SWEEP: Duration = Duration::from_secs(5);

    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            idle: RefCell::default(),
            per_backend: limits.backend_idle_connections,
            sweeps_kept: Self::sweeps_kept(limits),
            sweeps: Cell::new(0),
        }
    }

    /// How many sweeps an idle connection outlives.
    pub(super) fn sweeps_kept(limits: &Limits) -> u64 {
        let timeout = limits.backend_idle_timeout.as_secs();
        timeout.div_ceil(Self::SWEEP.as_secs())
    }

    /// The connection to `backend` that became idle last, of those that are still open.
    pub(super) fn take(&self, backend: &Endpoint) -> Option<Connection> {
        let mut idle = self.idle.borrow_mut();
        let stack = idle.get_mut(backend)?;
        while let Some(Idle { connection, .. }) = stack.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    fn put(&self, backend: &Endpoint, connection: Connection) {
        let mut idle = self.idle.borrow_mut();
        let stack = idle.entry(backend.clone()).or_default();
        if stack.len() < self.per_backend {
            stack.push(Idle {
                connection,
                since: self.sweeps.get(),
            });
        }
    }

    /// Drops connections that have been idle for too long or were closed, and backends without any.
    pub(super) fn sweep(&self) {
        self.sweeps.set(self.sweeps.get() + 1);
        let kept = |idle: &Idle| {
            self.sweeps.get() - idle.since <= self.sweeps_kept && idle.connection.is_ready()
        };
        self.idle.borrow_mut().retain(|_, stack| {
            stack.retain(kept);
            !stack.is_empty()
        });
    }
}

/// A connection while its request is served. Dropping it before it was given back closes the connection.
pub(crate) struct Lease {
    pool: Rc<Pool>,
    backend: Endpoint,
    connection: Option<Connection>,
}

impl Lease {
    pub(super) fn new(pool: Rc<Pool>, backend: Endpoint, connection: Connection) -> Self {
        Self {
            pool,
            backend,
            connection: Some(connection),
        }
    }

    /// Sends the request that the connection is there for, and waits for the head of its response.
    ///
    /// # Errors
    /// With the request, when nothing of it was sent.
    pub(super) async fn send(
        &mut self,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Upload>>> {
        let connection = self.connection.as_mut();
        let connection = connection.expect("a lease is given back behind its request");
        connection.traffic.begin();
        connection.requests.try_send_request(request).await
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.backend.address
    }

    /// Whether a byte of the response has come.
    pub(super) fn has_answer(&self) -> bool {
        let connection = self.connection.as_ref();
        connection.is_none_or(|connection| connection.traffic.has_answer())
    }

    /// Makes the connection available to further requests, if both the response and the request have come to
    /// their end. Without effect as long as the rest of the request is on its way.
    pub(crate) fn give_back(&mut self) {
        if let Some(connection) = self.connection.take_if(|connection| connection.is_ready()) {
            self.pool.put(&self.backend, connection);
        }
    }

    /// Whether the rest of the request is on its way.
    pub(super) fn is_uploading(&self) -> bool {
        let connection = self.connection.as_ref();
        connection
            .is_some_and(|connection| !connection.is_ready() && !connection.requests.is_closed())
    }

    /// Ready when the rest of the request was sent, behind a complete response, or cannot be.
    pub(super) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.connection {
            Some(connection) => connection.requests.poll_ready(cx).map(|_| ()),
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.driver.abort();
        }
    }
}
