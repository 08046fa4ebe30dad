//! The admin port: metrics, health and revisions, for operators and the platform. Nothing of the proxy's traffic comes here.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::drain::Draining;

mod origin;
mod revisions;

pub(crate) use revisions::Access;

/// How long a request's head may take to come, and how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// The text of `/metrics`.
pub(crate) type Render = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Admin {
    metrics: Render,
    readiness: Readiness,
}

/// What `/readyz` depends on. `/livez` depends on nothing: a process that can answer is alive.
#[derive(Clone)]
pub(crate) struct Readiness {
    pub(crate) draining: Draining,
    /// Links that must be up.
    pub(crate) links: Vec<watch::Receiver<bool>>,
}

impl Readiness {
    /// Says in a line why it is not ready.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.draining.is_announced() {
            return Err("not ready: shutting down\n");
        }
        match self.links.iter().all(|link| *link.borrow()) {
            true => Ok(()),
            false => Err("not ready: the link to the autoscaler is down\n"),
        }
    }
}

/// Serves the admin port until its runtime ends, during a drain as well.
pub(crate) async fn serve(
    listener: TcpListener,
    metrics: Render,
    readiness: Readiness,
    access: Access,
) {
    let router = router(Admin { metrics, readiness }).merge(revisions::router(access));
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new());
    http.header_read_timeout(HEAD_TIMEOUT);
    loop {
        match listener.accept().await {
            Ok((socket, _)) => {
                tokio::spawn(http.serve_connection(TokioIo::new(socket), service.clone()));
            }
            Err(error) => {
                tracing::debug!(%error, "the admin port cannot accept");
                tokio::time::sleep(crate::server::ACCEPT_PAUSE).await;
            }
        }
    }
}

fn router(admin: Admin) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get("ok\n"))
        .route("/readyz", get(readyz))
        .with_state(admin)
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    // It reads files and may have thousands of revisions to write.
    let text = tokio::task::spawn_blocking(move || (admin.metrics)()).await;
    match text {
        Ok(text) => (headers, text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn readyz(State(admin): State<Admin>) -> impl IntoResponse {
    match admin.readiness.check() {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, why),
    }
}
