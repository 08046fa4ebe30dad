//! The admin port: metrics, health, revisions and the log, for operators and the platform. It serves no proxied requests.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::logging::rate_limit::AtMostEvery;
use crate::readiness::Readiness;

mod connections;
mod events;
mod exchange;
mod list_body;
mod log;
mod origin;
mod page;
mod revisions;
mod socket;
#[cfg(test)]
mod tests;
mod text;
mod texts;

pub(crate) use events::{LinkStatus, SINK, SharedHistory, Source};
pub(crate) use revisions::Access;
pub(crate) use texts::Make;

use connections::{Connection, Connections};
use events::Events;
use socket::Socket;
use texts::Texts;

const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How long a request's head may take to arrive, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How often failures to accept are logged.
const ACCEPT_LOG: Duration = Duration::from_secs(10);

/// The service on all sockets of the port. Clones share it.
#[derive(Clone)]
pub(crate) struct Admin {
    router: Router,
    connections: Arc<Connections>,
}

impl Admin {
    /// `metrics` renders `/metrics`; `source` is what `/v1/events` tells of.
    pub(crate) fn new(metrics: Make, readiness: Readiness, access: Access, source: Source) -> Self {
        let connections = Connections::new();
        let metrics = Texts::new(metrics, &connections);
        let access = Arc::new(access);
        let health = Router::new()
            .route("/livez", get("ok\n"))
            .route("/readyz", get(readyz))
            .with_state(readiness);
        let router = Router::new()
            .route("/metrics", get(self::metrics))
            .with_state(metrics)
            .merge(health)
            .merge(page::router())
            .merge(log::router(Arc::clone(&access)))
            .merge(revisions::router(access, Events::new(source)));
        Self {
            router,
            connections,
        }
    }

    /// Serves one socket until its runtime ends, also during a drain.
    ///
    /// When dropped, open connections continue.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new());
        http.header_read_timeout(HEAD_TIMEOUT);
        let mut accept_log = AtMostEvery::new(ACCEPT_LOG);
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let permit = self.connections.enter().await;
                    let connection = Arc::clone(&permit.connection);
                    let router = TowerToHyperService::new(self.router.clone());
                    let extension = Arc::clone(&connection);
                    let service = service_fn(move |mut request: Request<Incoming>| {
                        request.extensions_mut().insert(Arc::clone(&extension));
                        router.call(request)
                    });
                    let socket = Socket::new(stream, Arc::clone(&connection));
                    let serving = http.serve_connection(TokioIo::new(socket), service);
                    let task = tokio::spawn(async move {
                        let _permit = permit;
                        // An error is the peer's.
                        let _ = serving.await;
                    });
                    connection.is_task(task.abort_handle());
                }
                Err(error) => {
                    if accept_log.allows(Instant::now()) {
                        tracing::warn!(%error, "cannot accept a connection on the admin port");
                    }
                    tokio::time::sleep(crate::os::listen::ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn metrics(
    State(texts): State<Arc<Texts>>,
    Extension(connection): Extension<Arc<Connection>>,
) -> Response {
    match texts.next(&connection).await {
        Ok(text) => ([(CONTENT_TYPE, METRICS_TYPE)], text).into_response(),
        Err(status) => status.into_response(),
    }
}

async fn readyz(State(readiness): State<Readiness>) -> impl IntoResponse {
    match readiness.check() {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}
