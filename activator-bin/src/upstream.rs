//! Sends a request to its backend and returns the head of the response.
//!
//! What must not live here: the choice of the backend, and what the proxy changes in a message.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::limits::Limits;
use crate::message::head::Names;
use crate::message::request_body::RequestBody;
use crate::tls::BackendTls;
use crate::upstream::backend::Backend;

pub(crate) mod backend;
mod connect;
mod error;
mod exchange;
mod http1;
mod http2;
mod line;
pub(crate) mod place;
mod pool;
pub(crate) mod protocol;
mod recall;
mod response_body;
mod socket;
mod written;

use exchange::exchange;
use http2::Http2;
use pool::Pool;
use recall::Call;

pub(crate) use error::{Failed, UpstreamError};
pub(crate) use recall::Recall;
pub(crate) use response_body::{BackendBody, ReceiveError};

/// How long a new connection to a backend with few slots may stay silent before idle ones are closed to make room.
/// Grows with `in_vain`: a backend for which this did not help may just be slow.
fn starving(in_vain: u32) -> Duration {
    Duration::from_millis(50) * (1 << in_vain.min(4))
}

/// If the response comes this soon afterwards, the idle connections were in its way.
const RELIEVED: Duration = Duration::from_millis(20);

/// One worker's connections to the backends.
pub(crate) struct Upstream {
    pool: Rc<Pool>,
    http2: Http2,
    tls: Option<Arc<BackendTls>>,
    limits: Limits,
    recall: Recall,
    /// The most idle connections kept.
    most_idle: usize,
}

/// A connection that has left HTTP.
pub(crate) type Switched = line::Line<socket::Far>;

/// A request's share of a connection. Dropping it before the response is complete aborts the request, so that the
/// backend notices.
pub(crate) enum Lease {
    /// The whole connection.
    Http1 {
        lease: pool::Checkout,
        /// The response's header names as they were spelled.
        names: Names,
    },
    /// One of its streams.
    Http2(http2::Stream),
}

impl Lease {
    /// Returns an HTTP/1 connection to the pool, once the response is complete and the request is sent.
    pub(crate) fn give_back(&mut self) {
        if let Self::Http1 { lease, .. } = self {
            lease.give_back();
        }
    }

    /// Sends no further request on an HTTP/1 connection.
    pub(crate) fn retire(&mut self) {
        if let Self::Http1 { lease, .. } = self {
            lease.retire();
        }
    }

    /// Takes the response's header names as they were spelled.
    pub(crate) fn take_names(&mut self) -> Names {
        match self {
            Self::Http1 { names, .. } => std::mem::take(names),
            Self::Http2(_) => Names::default(),
        }
    }

    /// Takes the connection of a response that switches protocols, with what was already read.
    pub(crate) fn switch(self) -> Option<(Switched, Bytes)> {
        match self {
            Self::Http1 { mut lease, .. } => lease.take_line(),
            Self::Http2(_) => None,
        }
    }

    /// Whether the rest of the request is still being sent, after a complete response.
    pub(crate) fn is_uploading(&self) -> bool {
        match self {
            Self::Http1 { lease, .. } => lease.is_uploading(),
            Self::Http2(stream) => stream.is_uploading(),
        }
    }

    /// Ready when the rest of the request was sent after a complete response, or cannot be sent.
    pub(crate) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Http1 { lease, .. } => lease.poll_uploaded(cx),
            Self::Http2(stream) => stream.poll_uploaded(cx),
        }
    }
}

impl Upstream {
    /// For one of the workers that listen to `recall`.
    pub(crate) fn new(limits: Limits, tls: Option<Arc<BackendTls>>, recall: &Recall) -> Self {
        let most_idle = recall.share(limits.max_backend_idle_connections);
        Self {
            pool: Rc::new(Pool::new(&limits, most_idle)),
            http2: Http2::new(limits, tls.clone(), recall.clone()),
            tls,
            limits,
            recall: recall.clone(),
            most_idle,
        }
    }

    /// Sends `request` to `backend`, in the protocol of its HTTP version, and waits for the head of the response.
    ///
    /// A pooled connection may turn out to have been closed while it was idle. The request is then sent on a new one,
    /// provided that no byte of a response has arrived and the request is either unsent or idempotent.
    ///
    /// `renew` restores the extensions of a request that is sent again.
    ///
    /// # Errors
    /// Contains the request, unchanged, if it may be sent to another backend.
    ///
    /// Cancellation closes the connection or resets the stream, so that the backend notices.
    pub(crate) async fn send(
        &self,
        backend: &Arc<Backend>,
        mut request: Box<Request<RequestBody>>,
        renew: impl Fn(&mut Request<RequestBody>),
    ) -> Result<(Response<BackendBody>, Lease), Failed> {
        let endpoint = &backend.endpoint;
        if request.version() == Version::HTTP_2 {
            let (response, stream) = Box::pin(self.http2.send(backend, request)).await?;
            return Ok((response, Lease::Http2(stream)));
        }
        if let Some(connection) = self.pool.take(endpoint) {
            match exchange(self.lease(backend, connection), request, Some(&renew)).await {
                Ok(response) => return Ok(response),
                Err(failed) => request = failed.on_used_connection()?,
            }
        }
        Box::pin(self.send_on_new(backend, request)).await
    }

    async fn send_on_new(
        &self,
        backend: &Arc<Backend>,
        request: Box<Request<RequestBody>>,
    ) -> Result<(Response<BackendBody>, Lease), Failed> {
        let connecting = connect::connect(
            &backend.endpoint,
            self.tls.as_deref(),
            &self.limits,
            &self.recall,
        );
        let connection = match connecting.await {
            Ok(connection) => connection,
            Err(error) => {
                let mut failed = Failed::from(error);
                failed.again = failed.complaint.is_some().then_some(request);
                return Err(failed);
            }
        };
        let exchange = exchange(self.lease(backend, connection), request, None);
        if backend.serves_few() {
            self.without_idle_ones(backend, exchange).await
        } else {
            exchange.await
        }
    }

    /// Makes all workers close their idle connections to `backend` if `exchange` takes too long.
    ///
    /// Some backends serve one connection at a time and do not read from a new one until the others are closed. For a
    /// backend that turns out to be one of these, idle connections are no longer kept.
    async fn without_idle_ones<T, E>(
        &self,
        backend: &Backend,
        exchange: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let mut exchange = pin!(exchange);
        let in_vain = backend.closed_in_vain().load(Ordering::Relaxed);
        if let Ok(outcome) = timeout(starving(in_vain), &mut exchange).await {
            return outcome;
        }
        let _starving = backend.starve();
        self.recall.on_unkept();
        match timeout(RELIEVED, &mut exchange).await {
            Ok(outcome) => {
                if outcome.is_ok() {
                    backend.keep_none();
                }
                outcome
            }
            Err(_) => {
                backend.closed_in_vain().fetch_add(1, Ordering::Relaxed);
                exchange.await
            }
        }
    }

    fn lease(&self, backend: &Arc<Backend>, connection: pool::Connection) -> pool::Checkout {
        pool::Checkout::new(Rc::clone(&self.pool), Arc::clone(backend), connection)
    }

    /// Closes connections that have been idle for too long or whose room is needed elsewhere.
    pub(crate) async fn maintain(&self) -> Infallible {
        let mut sweep = interval(Pool::SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut recalled = self.recall.listen();
        loop {
            tokio::select! {
                biased;
                _ = sweep.tick() => self.sweep(),
                () = self.pool.closed() => self.pool.drop_closed(),
                call = recalled.next() => self.close(call),
            }
        }
    }

    /// The process is out of file descriptors: all workers close idle connections.
    pub(crate) fn on_scarcity(&self) {
        self.recall.on_scarcity();
    }

    /// Closes connections that have been idle for too long.
    fn sweep(&self) {
        self.pool.sweep();
        let room = self.most_idle.saturating_sub(self.pool.len());
        self.http2.sweep(room);
    }

    /// Closes the idle connections that `call` asks for.
    fn close(&self, call: Call) {
        if call.unkept {
            self.pool.close_unkept();
            self.http2.close_unkept();
        }
        if call.scarcity {
            self.pool.close_oldest(self.pool.len().div_ceil(4));
            self.http2.close_idle();
        }
    }
}

#[cfg(test)]
mod tests;
