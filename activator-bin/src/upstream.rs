//! A request's way to its backend and the answer's way back, up to where the answer's body begins.
//!
//! What must not live here: which backend it is, and what a proxy changes in a message.

use std::rc::Rc;
use std::sync::Arc;

use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::http1;

use crate::revision::backend::Backend;
use crate::server::limits::Limits;

mod connect;
mod error;
mod pool;

pub(crate) use error::UpstreamError;
pub(crate) use pool::{Lease, Pool};

/// One worker's connections to the backends.
pub(crate) struct Upstream {
    http: http1::Builder,
    pool: Rc<Pool>,
    limits: Limits,
}

/// An open connection, ready for one request at a time.
type Connection = http1::SendRequest<Incoming>;

impl Upstream {
    pub(crate) fn new(limits: Limits) -> Self {
        let mut http = http1::Builder::new();
        http.max_buf_size(limits.head);
        Self {
            http,
            pool: Rc::new(Pool::new(&limits)),
            limits,
        }
    }

    /// Sends `request` to `backend` and waits for the head of the answer.
    ///
    /// A connection of the pool may turn out to have been closed while it was idle. As long as
    /// nothing of the request has been sent it is tried on another one; after that, never.
    ///
    /// Cancellation closes the connection, so the backend notices.
    pub(crate) async fn send(
        &self,
        backend: &Arc<Backend>,
        mut request: Request<Incoming>,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        let address = backend.address;
        while let Some(mut connection) = self.pool.take(address) {
            match connection.try_send_request(request).await {
                Ok(response) => return self.accept(backend, response, connection),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(UpstreamError::exchange(address, failed.into_error())),
                },
            }
        }
        let mut connection = connect::connect(&self.http, address, self.limits).await?;
        match connection.try_send_request(request).await {
            Ok(response) => self.accept(backend, response, connection),
            Err(failed) => Err(UpstreamError::exchange(address, failed.into_error())),
        }
    }

    fn accept(
        &self,
        backend: &Arc<Backend>,
        response: Response<Incoming>,
        connection: Connection,
    ) -> Result<(Response<Incoming>, Lease), UpstreamError> {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(UpstreamError::Switched(backend.address));
        }
        let lease = Lease::new(Rc::clone(&self.pool), backend.address, connection);
        Ok((response, lease))
    }

    /// Closes what has been idle for too long. To be called every [`Pool::SWEEP`].
    pub(crate) fn sweep(&self) {
        self.pool.sweep();
    }
}
