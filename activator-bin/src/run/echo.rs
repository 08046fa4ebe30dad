//! The service of the first look, which the activator starts like any other: returns the method and target, or the
//! request's body.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use anyhow::Context;
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
use tokio::runtime;

type Body = Either<Full<Bytes>, Incoming>;

/// Serves on the port of the loopback interface that `PORT` names, until the process ends.
///
/// # Errors
/// `PORT` is not a port, or is taken.
pub(crate) fn run() -> anyhow::Result<Infallible> {
    let port = std::env::var("PORT").context("PORT is not set")?;
    let port: u16 = port.parse().context("PORT is not a port")?;
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await;
        let listener = listener.with_context(|| format!("cannot listen on port {port}"))?;
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
                    eprintln!("cannot accept: {error}");
                    tokio::time::sleep(crate::os::listen::ACCEPT_PAUSE).await;
                }
            }
        }
    })
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
