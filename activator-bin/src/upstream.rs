//! A request's way to its backend and the answer's way back, up to where the answer's body begins.
//!
//! What must not live here: which backend it is, and what a proxy changes in a message.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1;

use crate::revision::backend::Backend;
use crate::server::limits::Limits;
use crate::tls::BackendTls;
use crate::upload::Upload;

mod connect;
mod error;
mod http2;
mod pool;
mod received;

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
    /// A connection of the pool may turn out to have been closed while it was idle. As long as
    /// nothing of the request has been sent it is tried on another one; after that, never.
    ///
    /// # Errors
    /// With the request, when the backend cannot be connected to. It is as it came.
    ///
    /// Cancellation closes the connection, or the request's part of it, so the backend notices.
    pub(crate) async fn send(
        &self,
        backend: &Arc<Backend>,
        mut request: Box<Request<Upload>>,
    ) -> Result<(Response<Received>, Lease), Failed> {
        let endpoint = &backend.endpoint;
        let address = endpoint.address;
        if request.version() == Version::HTTP_2 {
            // On the heap: one of HTTP/1 would have room for it, too.
            let (response, stream) = Box::pin(self.http2.send(endpoint, request)).await?;
            return Ok((response, Lease::Http2(stream)));
        }
        while let Some(connection) = self.pool.take(endpoint) {
            let mut lease = self.lease(backend, connection);
            match lease.send(*request).await {
                Ok(response) => return Ok(accept(response, lease)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) => request = Box::new(unsent),
                    None => {
                        return Err(UpstreamError::exchange(address, failed.into_error()).into());
                    }
                },
            }
        }
        // On the heap: every request would have room for it, and few need it.
        let connecting = Box::pin(connect::connect(
            &self.http,
            endpoint,
            self.tls.as_deref(),
            self.limits,
        ));
        let connection = match connecting.await {
            Ok(connection) => connection,
            Err(error) => {
                let unsent = error.is_unreachable().then_some(request);
                return Err(Failed { error, unsent });
            }
        };
        let mut lease = self.lease(backend, connection);
        match lease.send(*request).await {
            Ok(response) => Ok(accept(response, lease)),
            Err(failed) => Err(UpstreamError::exchange(address, failed.into_error()).into()),
        }
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

fn accept(response: Response<Incoming>, lease: pool::Lease) -> (Response<Received>, Lease) {
    (response.map(Received::Http1), Lease::Http1(lease))
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};
    use std::time::Duration;

    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt;
    use tokio::sync::mpsc;

    use super::*;
    use crate::revision::backend::Endpoint;

    /// A request without a body, as it comes from a client.
    async fn request() -> Box<Request<Upload>> {
        let (mut client, server) = tokio::io::duplex(1_024);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let (sender, mut requests) = mpsc::unbounded_channel();
        let service = service_fn(move |request: Request<Incoming>| {
            sender.send(request).unwrap();
            pending::<hyper::Result<Response<String>>>()
        });
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), service);
        tokio::select! {
            request = requests.recv() => Box::new(request.unwrap().map(Upload::from)),
            _ = serving => unreachable!("the service never answers"),
        }
    }

    fn answer(listener: &TcpListener) -> TcpStream {
        let (mut socket, _) = listener.accept().unwrap();
        let _ = socket.read(&mut [0; 1_024]).unwrap();
        socket
            .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
            .unwrap();
        socket
    }

    /// Has a backend close an idle connection, then sends a request, before or after the closing
    /// could be heard of. The backend would answer on a further connection.
    fn send_after_close(heard: bool) -> Result<(), Failed> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let backend = Arc::new(Backend::new(Endpoint { address, tls: None }));
        let (mut wake, woken) = {
            let pair = TcpListener::bind("127.0.0.1:0").unwrap();
            let wake = TcpStream::connect(pair.local_addr().unwrap()).unwrap();
            let (woken, _) = pair.accept().unwrap();
            woken.set_nonblocking(true).unwrap();
            (wake, woken)
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(Default::default())
            .unwrap();
        runtime.block_on(async {
            let upstream = Upstream::new(Limits::default(), None);
            let woken = tokio::net::TcpStream::from_std(woken).unwrap();
            let (first, second) = (request().await, request().await);
            let answering = std::thread::spawn(move || (answer(&listener), listener));
            let (_, mut lease) = upstream.send(&backend, first).await.ok().unwrap();
            lease.give_back();
            let (socket, listener) = answering.join().unwrap();
            drop(socket);
            if heard {
                // Both events are waiting when the runtime looks for them, so this task goes on
                // before the connection's own task has seen that it is closed.
                wake.write_all(b"x").unwrap();
                std::thread::sleep(Duration::from_millis(50));
                woken.readable().await.unwrap();
            }
            std::thread::spawn(move || answer(&listener));
            upstream.send(&backend, second).await.map(|_| ())
        })
    }

    #[test]
    fn a_request_that_was_not_sent_is_tried_on_another_connection() {
        assert!(send_after_close(true).is_ok());
    }

    #[test]
    fn a_request_that_was_sent_is_never_tried_again() {
        let outcome = send_after_close(false);
        assert!(
            matches!(
                outcome,
                Err(Failed {
                    error: UpstreamError::Lost { .. },
                    unsent: None
                })
            ),
            "{outcome:?}"
        );
    }
}
