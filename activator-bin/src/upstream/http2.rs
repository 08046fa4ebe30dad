//! HTTP/2 connections to the backends, each shared by many requests.
//!
//! They are those of the h2 crate itself. Behind hyper's one cannot see how many requests a backend
//! takes, nor whether it has looked at one that it refused, and an answer that the backend cancels
//! looks complete.

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use foldhash::fast::FixedState;
use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;

use super::error::{Failed, UpstreamError};
use super::pool::Pool;
use super::recall::Recall;
use super::received::Received;
use crate::proxy::headers::informational_to_client;
use crate::revision::backend::{Backend, Endpoint};
use crate::server::limits::Limits;
use crate::tls::BackendTls;
use crate::upload::Upload;

mod connection;
mod upload;

use connection::{Connection, NotOpened, Place};
use upload::Uploading;

/// How often a request is sent to a backend that says each time that it has not looked at it.
const ATTEMPTS: usize = 3;

/// One worker's connections.
pub(super) struct Http2 {
    backends: RefCell<HashMap<Endpoint, Connections, FixedState>>,
    tls: Option<Arc<BackendTls>>,
    limits: Limits,
    sweeps_kept: u64,
    recall: Recall,
}

/// Those to one backend.
#[derive(Default)]
struct Connections {
    /// As it was when a connection was last opened.
    backend: Option<Arc<Backend>>,
    open: Vec<Rc<Connection>>,
    opening: Option<Opening>,
}

/// A connection that is being opened, for all who wait for one; whoever polls first opens it.
type Opening = Rc<OnceCell<Result<Rc<Connection>, NotOpened>>>;

/// A request's part of a connection. Dropping it ends the request, also in the middle.
pub(crate) struct Stream {
    /// Goes on beside the answer.
    upload: Option<JoinHandle<()>>,
    _place: Place,
}

impl Stream {
    /// Whether the rest of the request is on its way.
    pub(super) fn is_uploading(&self) -> bool {
        let upload = self.upload.as_ref();
        upload.is_some_and(|upload| !upload.is_finished())
    }

    /// Ready when the rest of the request was sent, or cannot be.
    pub(super) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(upload) = &mut self.upload {
            let _ = ready!(Pin::new(upload).poll(cx));
            self.upload = None;
        }
        Poll::Ready(())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.abort();
        }
    }
}

impl Http2 {
    pub(super) fn new(limits: Limits, tls: Option<Arc<BackendTls>>, recall: Recall) -> Self {
        Self {
            backends: RefCell::default(),
            tls,
            limits,
            sweeps_kept: Pool::sweeps_kept(&limits),
            recall,
        }
    }

    /// Sends `request` to `backend` and waits for the head of the answer.
    ///
    /// # Errors
    /// With the request, when the backend cannot be connected to. It is as it came.
    ///
    /// Cancellation resets the request's stream, so the backend notices.
    pub(super) async fn send(
        &self,
        backend: &Arc<Backend>,
        request: Box<Request<Upload>>,
    ) -> Result<(Response<Received>, Stream), Failed> {
        let (head, mut body) = request.into_parts();
        let mut attempt = 1;
        loop {
            let place = match self.place(backend).await {
                Ok(place) => place,
                Err(error) => {
                    let mut failed = Failed::from(error);
                    let unsent = failed.complaint.is_some();
                    failed.again = unsent.then(|| Box::new(Request::from_parts(head, body)));
                    return Err(failed);
                }
            };
            match exchange(place, &head, body).await {
                Ok(answer) => return Ok(answer),
                Err(Unanswered::ByClient(error)) => {
                    return Err(UpstreamError::RequestBody(error).into());
                }
                Err(Unanswered::ByBackend(error, unsent)) => match unsent {
                    Some(unsent) if attempt < ATTEMPTS => body = unsent,
                    _ => return Err(UpstreamError::http2(backend.endpoint.address, error).into()),
                },
            }
            attempt += 1;
        }
    }

    /// A place on a connection; opens one when all are full.
    async fn place(&self, backend: &Arc<Backend>) -> Result<Place, UpstreamError> {
        let Backend { endpoint, .. } = &**backend;
        loop {
            if let Some(place) = self.free_place(endpoint) {
                return Ok(place);
            }
            let opening = {
                let mut backends = self.backends.borrow_mut();
                let connections = backends.entry(endpoint.clone()).or_default();
                connections.backend = Some(Arc::clone(backend));
                Rc::clone(connections.opening.get_or_insert_default())
            };
            let tls = self.tls.as_deref();
            // On the heap: every request would have room for it, and few need it.
            let open = || Box::pin(Connection::open(backend, tls, self.limits, &self.recall));
            let opened = opening.get_or_init(open);
            let opened = opened.await.clone();
            self.on_opened(endpoint, &opening);
            let connection = opened.map_err(|error| error.of(endpoint.address))?;
            if !connection.is_open() {
                return Err(UpstreamError::NoHttp2(endpoint.address));
            }
        }
    }

    fn free_place(&self, backend: &Endpoint) -> Option<Place> {
        let mut backends = self.backends.borrow_mut();
        let open = &mut backends.get_mut(backend)?.open;
        open.retain(|connection| connection.is_open());
        // The first ones, so that the last ones can expire.
        open.iter().find_map(Connection::place)
    }

    /// The first of those who have waited puts the connection where the others look for it.
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

    /// Closes what has been idle for too long or is not to be kept, and of the idle ones all but `most`. To be
    /// called every [`Pool::SWEEP`].
    pub(super) fn sweep(&self, most: usize) {
        let mut idle = 0;
        self.retain(|backend, connection| {
            let sweeps_idle = connection.sweeps_idle();
            idle += usize::from(sweeps_idle > 0);
            let is_kept = idle <= most && backend.is_none_or(Backend::is_kept);
            sweeps_idle == 0 || (is_kept && sweeps_idle <= self.sweeps_kept)
        });
    }

    /// Closes the idle ones to backends whose connections are not kept.
    pub(super) fn close_unkept(&self) {
        self.retain(|backend, connection| {
            backend.is_none_or(Backend::is_kept) || !connection.is_idle()
        });
    }

    /// Closes all that are idle.
    pub(super) fn close_idle(&self) {
        self.retain(|_, connection| !connection.is_idle());
    }

    fn retain(&self, mut is_kept: impl FnMut(Option<&Backend>, &Connection) -> bool) {
        self.backends.borrow_mut().retain(|_, connections| {
            let backend = connections.backend.as_deref();
            let open = &mut connections.open;
            open.retain(|connection| connection.is_open() && is_kept(backend, connection));
            !connections.open.is_empty() || connections.opening.is_some()
        });
    }
}

/// Why a request got no answer.
enum Unanswered {
    ByClient(upload::Failure),
    /// With the body, when the backend has not looked at the request and the body is still whole.
    ByBackend(h2::Error, Option<Upload>),
}

async fn exchange(
    place: Place,
    head: &Parts,
    body: Upload,
) -> Result<(Response<Received>, Stream), Unanswered> {
    let request = Request::from_parts(head.clone(), ());
    let sent = place.requests().send_request(request, body.is_end_stream());
    let (mut answer, sender) = match sent {
        Ok(sent) => sent,
        Err(error) => return Err(Unanswered::ByBackend(error, Some(body))),
    };
    let interim = body.interim().cloned();
    let mut upload = Uploading::new(body, sender);
    let answered = poll_fn(|cx| {
        let uploaded = upload.poll(cx);
        if let Poll::Ready(Err(failure)) = uploaded {
            return Poll::Ready(Err(Ok(failure)));
        }
        if let Some(interim) = &interim {
            while let Poll::Ready(Some(Ok(early))) = answer.poll_informational(cx) {
                let (early, ()) = early.into_parts();
                let mut headers = early.headers;
                informational_to_client(&mut headers);
                interim.on_arrival(early.status, headers);
            }
        }
        Pin::new(&mut answer).poll(cx).map_err(Err)
    });
    match answered.await {
        Ok(response) => {
            let upload = (!upload.is_over()).then(|| upload.go_on());
            let stream = Stream {
                upload,
                _place: place,
            };
            Ok((Received::http2(response), stream))
        }
        Err(Ok(failure)) => Err(Unanswered::ByClient(failure)),
        Err(Err(error)) => {
            let unsent = is_refusal(&error).then(|| upload.take_whole()).flatten();
            Err(Unanswered::ByBackend(error, unsent))
        }
    }
}

/// Whether the backend says that it has not looked at the request (RFC 9113, 8.7).
fn is_refusal(error: &h2::Error) -> bool {
    error.is_remote() && (error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

#[cfg(test)]
mod tests;
