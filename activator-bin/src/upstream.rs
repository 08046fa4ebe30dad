//! A request's way to its backend and the answer's way back, up to where the answer's body begins.
//!
//! What must not live here: which backend it is, and what a proxy changes in a message.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, Version};
use hyper::client::conn::http1;

use crate::revision::backend::Backend;
use crate::server::limits::Limits;
use crate::target::Target;
use crate::throttle::Complaint;
use crate::tls::BackendTls;
use crate::upload::Upload;

mod connect;
mod error;
mod http2;
mod line;
mod pool;
mod received;
mod request_line;

use http2::Http2;

pub(crate) use error::{Failed, UpstreamError};
pub(crate) use pool::Pool;
pub(crate) use received::{ReceiveError, Received};

/// One worker's connections to the backends.
pub(crate) struct Upstream {
    http: http1::Builder,
    pool: Rc<Pool>,
    http2: Http2,
    tls: Option<Arc<BackendTls>>,
    limits: Limits,
}

/// What a request holds of a connection. Dropping it before the answer is complete ends the request,
/// so that the backend notices.
pub(crate) enum Lease {
    /// All of it.
    Http1(pool::Lease),
    /// One of its streams.
    Http2(http2::Stream),
}

impl Lease {
    /// Makes an HTTP/1 connection available to further requests, once the answer is complete and the request is sent.
    pub(crate) fn give_back(&mut self) {
        if let Self::Http1(lease) = self {
            lease.give_back();
        }
    }

    /// Whether the rest of the request is on its way, behind a complete response.
    pub(crate) fn is_uploading(&self) -> bool {
        match self {
            Self::Http1(lease) => lease.is_uploading(),
            Self::Http2(stream) => stream.is_uploading(),
        }
    }

    /// Ready when the rest of the request was sent, behind a complete response, or cannot be.
    pub(crate) fn poll_uploaded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::Http1(lease) => lease.poll_uploaded(cx),
            Self::Http2(stream) => stream.poll_uploaded(cx),
        }
    }
}

impl Upstream {
    pub(crate) fn new(limits: Limits, tls: Option<Arc<BackendTls>>) -> Self {
        let mut http = http1::Builder::new();
        http.max_buf_size(limits.max_header_size);
        if let Some(most) = limits.http1_max_headers() {
            http.max_headers(most);
        }
        Self {
            http,
            pool: Rc::new(Pool::new(&limits)),
            http2: Http2::new(limits, tls.clone()),
            tls,
            limits,
        }
    }

    /// Sends `request` to `backend` in the protocol of its version and waits for the head of the answer.
    ///
    /// A connection of the pool may turn out to have been closed while it was idle. The request is then
    /// sent on a new one, as long as no byte of a response has come and either nothing of the request
    /// was sent or it does no harm to send it twice.
    ///
    /// # Errors
    /// With the request, as it came, when it may be sent to another backend.
    ///
    /// Cancellation closes the connection, or the request's part of it, so the backend notices.
    pub(crate) async fn send(
        &self,
        backend: &Arc<Backend>,
        mut request: Box<Request<Upload>>,
    ) -> Result<(Response<Received>, Lease), Failed> {
        let endpoint = &backend.endpoint;
        if request.version() == Version::HTTP_2 {
            // On the heap: one of HTTP/1 would have room for it, too.
            let (response, stream) = Box::pin(self.http2.send(endpoint, request)).await?;
            return Ok((response, Lease::Http2(stream)));
        }
        // One that `http::Uri` does not hold is the first on its connection.
        let target = request.extensions().get::<Target>().cloned();
        if target.is_none()
            && let Some(connection) = self.pool.take(endpoint)
        {
            match exchange(self.lease(backend, connection), request).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => request = failed.on_used_connection()?,
            }
        }
        // On the heap: every request would have room for it, and few need it.
        let connecting = Box::pin(connect::connect(
            &self.http,
            endpoint,
            self.tls.as_deref(),
            self.limits,
            target,
        ));
        let connection = match connecting.await {
            Ok(connection) => connection,
            Err(error) => {
                let mut failed = Failed::from(error);
                failed.again = failed.complaint.is_some().then_some(request);
                return Err(failed);
            }
        };
        exchange(self.lease(backend, connection), request).await
    }

    fn lease(&self, backend: &Arc<Backend>, connection: pool::Connection) -> pool::Lease {
        pool::Lease::new(Rc::clone(&self.pool), backend.endpoint.clone(), connection)
    }

    /// Closes what has been idle for too long. To be called every [`Pool::SWEEP`].
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
        self.http2.sweep();
    }
}

/// Sends `request` on one connection and waits for the head of the response.
async fn exchange(
    mut lease: pool::Lease,
    request: Box<Request<Upload>>,
) -> Result<(Response<Received>, Lease), Failed> {
    let spare = repeatable(&request);
    let mut failed = match lease.send(*request).await {
        Ok(response) => return Ok((response.map(Received::Http1), Lease::Http1(lease))),
        Err(failed) => failed,
    };
    let unsent = failed.take_message().map(Box::new);
    let error = UpstreamError::exchange(lease.address(), failed.into_error());
    let is_unheard = matches!(error, UpstreamError::Lost { .. }) && !lease.has_answer();
    let mut failed = Failed::from(error);
    if is_unheard {
        failed.complaint.get_or_insert(Complaint::Closed);
        failed.again = spare;
    }
    if unsent.is_some() {
        failed.again = unsent;
    }
    Err(failed)
}

/// A copy of `request`, if it does no harm to send it twice (RFC 9110, 9.2.2).
fn repeatable(request: &Request<Upload>) -> Option<Box<Request<Upload>>> {
    if !request.method().is_idempotent() {
        return None;
    }
    let body = request.body().again()?;
    let mut copy = Request::new(body);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    *copy.extensions_mut() = request.extensions().clone();
    Some(Box::new(copy))
}

#[cfg(test)]
mod tests;
