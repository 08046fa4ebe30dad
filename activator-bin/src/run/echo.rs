//! The embedded echo server, for a first look: returns the method and target, or the request's body.

use std::convert::Infallible;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;

type Body = Either<Full<Bytes>, Incoming>;

/// Starts the server on the current runtime, on a free port of the loopback interface.
///
/// # Errors
/// From the operating system.
pub(crate) fn start() -> std::io::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((socket, _)) => {
                    tokio::spawn(async move {
                        auto::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(socket), service_fn(respond))
                            .await
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "the echo server cannot accept");
                    tokio::time::sleep(crate::os::listen::ACCEPT_PAUSE).await;
                }
            }
        }
    });
    Ok(address)
}

async fn respond(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let (body, content_type) = if body.is_end_stream() {
        let target = parts
            .uri
            .path_and_query()
            .map_or("/", |target| target.as_str());
        let text = format!("{} {target}\n", parts.method);
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        (Either::Left(Full::from(text)), Some(plain))
    } else {
        let content_type = parts.headers.get(CONTENT_TYPE).cloned();
        (Either::Right(body), content_type)
    };
    let mut response = Response::new(body);
    if let Some(content_type) = content_type {
        response.headers_mut().insert(CONTENT_TYPE, content_type);
    }
    Ok(response)
}
