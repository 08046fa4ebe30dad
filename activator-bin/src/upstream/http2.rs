//! HTTP/2 connections to the backends, each shared by many requests.
//!
//! They use the h2 crate directly. Through hyper one cannot see how many streams a backend allows or whether it
//! processed a request that it refused, and a response that the backend cancels looks complete.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use foldhash::fast::FixedState;
use http::{Request, Response};
use tokio::sync::{Notify, OnceCell};
use tokio::time::timeout;

use super::error::{Failed, UpstreamError};
use super::pool::Pool;
use super::recall::Recall;
use super::response_body::BackendBody;
use crate::limits::Limits;
use crate::message::request_body::RequestBody;
use crate::message::target::Target;
use crate::os::open_files;
use crate::throttle::Complaint;
use crate::tls::BackendTls;
use crate::upstream::backend::{Backend, Endpoint};

mod attempts;
mod connection;
mod exchange;
mod send_body;

use attempts::Attempts;
use connection::{Connection, NotOpened, StreamPermit};
use exchange::{NoResponse, exchange};

pub(crate) use exchange::Stream;

/// The most connections that a worker has to one backend; further requests wait.
const MOST_PER_BACKEND: usize = 128;
/// How many connections are kept on which a backend allows no streams.
const STARVED: usize = 1;
/// How many connections that allow no streams are opened for one request.
const USELESS: usize = 3;

/// The HTTP/2 connections of one worker.
pub(super) struct Http2 {
    backends: RefCell<HashMap<Endpoint, Connections, FixedState>>,
    count: Count,
    /// The most connections in all.
    most: usize,
    tls: Option<Arc<BackendTls>>,
    limits: Limits,
    sweeps_kept: u64,
    recall: Recall,
}

/// The connections to one backend.
#[derive(Default)]
struct Connections {
    /// The backend when a connection was last opened.
    backend: Option<Arc<Backend>>,
    open: Vec<Rc<Connection>>,
    opening: Option<Opening>,
    /// Held by every connection, including those that accept no further requests.
    count: Count,
    /// Notified for each stream that becomes available.
    freed: Rc<Notify>,
}

/// Its strong count is one more than the number of connections.
type Count = Rc<()>;

/// What is available to a request.
enum Found {
    Permit(StreamPermit),
    Opening(Opening),
    Full(Rc<Notify>),
}

impl Connections {
    fn share(&self) -> (Count, Rc<Notify>) {
        (Rc::clone(&self.count), Rc::clone(&self.freed))
    }

    /// Drops connections that accept no further requests. Of the idle ones on which the backend allows no streams at
    /// present, keeps one.
    fn tidy(&mut self) {
        let mut starved = 0;
        self.open.retain(|connection| {
            starved += usize::from(connection.is_starved());
            connection.is_open() && !(connection.is_starved() && starved > STARVED)
        });
    }
}

/// A connection being opened, shared by all who wait for it; whoever polls first opens it.
type Opening = Rc<OnceCell<Result<Rc<Connection>, NotOpened>>>;

impl Http2 {
    pub(super) fn new(limits: Limits, tls: Option<Arc<BackendTls>>, recall: Recall) -> Self {
        Self {
            backends: RefCell::default(),
            count: Count::default(),
            most: most_in_all(),
            tls,
            limits,
            sweeps_kept: Pool::sweeps_kept(&limits),
            recall,
        }
    }

    /// Sends `request` to `backend` and waits for the head of the response.
    ///
    /// # Errors
    /// Contains the request, unchanged, if it may be sent to another backend.
    ///
    /// Cancellation resets the stream, so that the backend notices.
    pub(super) async fn send(
        &self,
        backend: &Arc<Backend>,
        request: Box<Request<RequestBody>>,
    ) -> Result<(Response<BackendBody>, Stream), Failed> {
        let (mut head, mut body) = request.into_parts();
        if let Some(target) = head.extensions.get::<Target>() {
            // Hyper knows it only in an escaped form.
            head.uri = target.put_into(&head.uri).ok_or(UpstreamError::Target)?;
        }
        let mut attempts = Attempts::default();
        loop {
            let permit = match self.permit(backend).await {
                Ok(permit) => permit,
                Err(error) => {
                    let mut failed = Failed::from(error);
                    let is_refused = matches!(failed.error, UpstreamError::NoHttp2(_));
                    let unsent = failed.complaint.is_some() || is_refused;
                    failed.again = unsent.then(|| Box::new(Request::from_parts(head, body)));
                    return Err(failed);
                }
            };
            let spare = body.again();
            let failure = match exchange(permit, &head, body).await {
                Ok(response) => return Ok(response),
                Err(NoResponse::ByClient(error)) => {
                    return Err(UpstreamError::RequestBody(error).into());
                }
                Err(NoResponse::ByBackend(failure)) => failure,
            };
            let spare = spare.filter(RequestBody::is_whole);
            if failure.is_unprocessed() {
                match spare {
                    Some(spare) if attempts.pause().await => body = spare,
                    _ => {
                        return Err(
                            UpstreamError::http2(&backend.endpoint.place, failure.error).into()
                        );
                    }
                }
                continue;
            }
            let (is_silent, is_used) = (!failure.has_begun, failure.is_used);
            let mut failed =
                Failed::from(UpstreamError::http2(&backend.endpoint.place, failure.error));
            if is_silent && matches!(failed.error, UpstreamError::Lost { .. }) {
                failed.complaint.get_or_insert(Complaint::Closed);
                let spare = spare.filter(|_| head.method.is_idempotent());
                let again = |spare| Box::new(Request::from_parts(head.clone(), spare));
                failed.again = spare.map(again);
            }
            if !is_used || !attempts.pause().await {
                return Err(failed);
            }
            body = failed.on_used_connection()?.into_body();
        }
    }

    /// A stream on a connection. Opens a connection if all are full, or waits if the limit is reached.
    async fn permit(&self, backend: &Arc<Backend>) -> Result<StreamPermit, UpstreamError> {
        let Backend { endpoint, .. } = &**backend;
        let mut useless = 0;
        loop {
            let opening = match self.find(backend, useless < USELESS) {
                Found::Permit(permit) => return Ok(permit),
                Found::Opening(opening) => opening,
                Found::Full(freed) => {
                    let waiting = timeout(self.limits.connect_timeout, freed.notified());
                    if waiting.await.is_err() && !self.is_busy(endpoint) {
                        return Err(if Rc::strong_count(&self.count) > self.most {
                            UpstreamError::Crowded(endpoint.place.clone().into())
                        } else {
                            UpstreamError::Unwilling(endpoint.place.clone().into())
                        });
                    }
                    continue;
                }
            };
            let tls = self.tls.as_deref();
            let open = || Box::pin(self.open(backend, tls));
            let opened = opening.get_or_init(open).await.clone();
            self.on_opened(endpoint, &opening);
            let connection = opened.map_err(|error| error.of(&endpoint.place))?;
            if !connection.is_open() || connection.is_starved() {
                useless += 1;
            }
            if !connection.is_open() && useless == USELESS {
                return Err(UpstreamError::Unwilling(endpoint.place.clone().into()));
            }
        }
    }

    /// Opens a connection that counts towards both limits.
    async fn open(
        &self,
        backend: &Arc<Backend>,
        tls: Option<&BackendTls>,
    ) -> Result<Rc<Connection>, NotOpened> {
        let connections = self
            .backends
            .borrow()
            .get(&backend.endpoint)
            .map(Connections::share);
        let (of_backend, freed) = connections.unwrap_or_default();
        let counted = [of_backend, Rc::clone(&self.count)];
        Connection::open(backend, tls, self.limits, counted, freed, &self.recall).await
    }

    /// What is available to a request. A new connection is offered only if `may_open` and the limits allow it.
    fn find(&self, backend: &Arc<Backend>, may_open: bool) -> Found {
        let Backend { endpoint, .. } = &**backend;
        let mut backends = self.backends.borrow_mut();
        if !backends.contains_key(endpoint) {
            backends.insert(endpoint.clone(), Connections::default());
        }
        let connections = backends.get_mut(endpoint).expect("it was just inserted");
        connections.tidy();
        // Prefers the oldest connections, so that the others become idle and expire.
        if let Some(permit) = connections.open.iter().find_map(Connection::permit) {
            return Found::Permit(permit);
        }
        if let Some(opening) = &connections.opening {
            return Found::Opening(Rc::clone(opening));
        }
        let freed = Rc::clone(&connections.freed);
        let is_full = Rc::strong_count(&connections.count) > MOST_PER_BACKEND;
        if !may_open || is_full || !self.has_room(&mut backends) {
            return Found::Full(freed);
        }
        let connections = backends.entry(endpoint.clone()).or_default();
        connections.backend = Some(Arc::clone(backend));
        Found::Opening(Rc::clone(connections.opening.get_or_insert_default()))
    }

    /// Whether the limit allows one more connection. May close an idle one to make room.
    fn has_room(&self, backends: &mut HashMap<Endpoint, Connections, FixedState>) -> bool {
        if Rc::strong_count(&self.count) <= self.most {
            return true;
        }
        let close_idle = |connections: &mut Connections| {
            let idle = connections.open.iter().position(|open| open.is_idle());
            idle.map(|at| connections.open.remove(at)).is_some()
        };
        backends.values_mut().any(close_idle)
    }

    /// Whether a stream may become available without further action.
    fn is_busy(&self, backend: &Endpoint) -> bool {
        let backends = self.backends.borrow();
        let connections = backends.get(backend);
        connections.is_some_and(|connections| {
            connections.opening.is_some() || connections.open.iter().any(|open| !open.is_idle())
        })
    }

    /// The first of the waiting requests to get here stores the connection for the others.
    fn on_opened(&self, backend: &Endpoint, opening: &Opening) {
        let mut backends = self.backends.borrow_mut();
        let connections = backends.entry(backend.clone()).or_default();
        if connections
            .opening
            .take_if(|current| Rc::ptr_eq(current, opening))
            .is_some()
            && let Some(Ok(connection)) = opening.get()
        {
            connections.open.push(Rc::clone(connection));
        }
    }

    /// Closes connections that have been idle for too long or must not be kept, and all but `most` of the idle ones.
    /// To be called every [`Pool::SWEEP`].
    pub(super) fn sweep(&self, most: usize) {
        let mut idle = 0;
        self.retain(|backend, connection| {
            let sweeps_idle = connection.sweeps_idle();
            idle += usize::from(sweeps_idle > 0);
            let is_kept = idle <= most && backend.is_none_or(Backend::is_kept);
            sweeps_idle == 0 || (is_kept && sweeps_idle <= self.sweeps_kept)
        });
    }

    /// Closes idle connections to backends whose connections must not be kept.
    pub(super) fn close_unkept(&self) {
        self.retain(|backend, connection| {
            backend.is_none_or(Backend::is_kept) || !connection.is_idle()
        });
    }

    /// Closes all idle connections.
    pub(super) fn close_idle(&self) {
        self.retain(|_, connection| !connection.is_idle());
    }

    fn retain(&self, mut is_kept: impl FnMut(Option<&Backend>, &Connection) -> bool) {
        self.backends.borrow_mut().retain(|_, connections| {
            connections.tidy();
            let backend = connections.backend.as_deref();
            let open = &mut connections.open;
            open.retain(|connection| connection.is_open() && is_kept(backend, connection));
            !connections.open.is_empty() || connections.opening.is_some()
        });
    }
}

/// A quarter of the descriptors available for connections: backends may use HTTP/1 as well.
fn most_in_all() -> usize {
    let room = open_files::room_for_clients() / 4;
    usize::try_from(room).map_or(usize::MAX, |room| room.max(64))
}

#[cfg(test)]
mod tests;
