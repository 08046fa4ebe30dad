//! `/v1/revisions`: shows the revisions and, where allowed, changes them, wakes them and puts them to sleep.
//! `/v1/cluster`: where they come from. `/v1/events`: what happens to them.
//!
//! JSON with the fields of `[[revision]]`. A change takes effect immediately as a whole, or not at all. It lasts until
//! the file changes the same revision, or the process ends.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use reporter_core::RevisionKey;
use reporter_metrics::BackendState;
use serde_json::{Value as Json, json};

use super::events::Events;
use super::exchange::{ErrorResponse, JSON, ResponseResult, bad_request, json, read, time};
use super::list_body::ListBody;
use super::origin;
use crate::config::{AdminConfig, ThrottleConfig, refuse_commands};
use crate::launcher::Launcher;
use crate::probe::BackendCounts;
use crate::revision::{LaunchSpec, RevisionSpec, Revisions};

/// The largest body, in KiB: enough for 40,000 backends.
const BODY_LIMIT: usize = 1024;

/// What the handlers need.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) revisions: Arc<Revisions>,
    /// Which changes are allowed.
    pub(crate) admin: AdminConfig,
    /// The settings that a revision inherits.
    pub(crate) inherited: ThrottleConfig,
    /// Whether there are CAs to verify backends with.
    pub(crate) backend_tls: bool,
    /// The state of the cluster that revisions come from.
    pub(crate) cluster: Option<Arc<dyn Fn() -> Json + Send + Sync>>,
    /// What runs instances on this machine.
    pub(crate) launcher: Option<Launcher>,
}

type Parts = Path<(String, String)>;

pub(super) fn router(access: Arc<Access>, events: Arc<Events>) -> Router {
    let events = Router::new()
        .route("/v1/events", get(self::events))
        .with_state((Arc::clone(&access), events));
    let one = get(show).put(put).delete(delete);
    Router::new()
        .route("/v1/revisions", get(list))
        .route("/v1/revisions/{namespace}/{name}", one)
        .route("/v1/revisions/{namespace}/{name}/wake", post(wake))
        .route("/v1/revisions/{namespace}/{name}/sleep", post(sleep))
        .route("/v1/cluster", get(cluster))
        .with_state(access)
        .merge(events)
}

/// All readers see the same; only whether they may change it depends on how they came.
async fn events(
    State((access, events)): State<(Arc<Access>, Arc<Events>)>,
    target: Uri,
    headers: HeaderMap,
) -> ResponseResult {
    origin::check_reader(&headers).map_err(|why| ErrorResponse(StatusCode::FORBIDDEN, why))?;
    let may_write = access.check_write(&target, &headers).is_ok();
    match events.open(may_write) {
        Some(body) => {
            // A proxy in front passes events on at once.
            let unbuffered = HeaderName::from_static("x-accel-buffering");
            let headers = [
                (CONTENT_TYPE, "text/event-stream"),
                (CACHE_CONTROL, "no-store"),
                (unbuffered, "no"),
            ];
            Ok((headers, Body::new(body)).into_response())
        }
        None => {
            let why = "too many clients follow the events already\n";
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Ok((status, [(RETRY_AFTER, "10")], why).into_response())
        }
    }
}

async fn list(State(access): State<Arc<Access>>) -> Response {
    let list = ListBody::new(access.revisions.list(), access.launcher.clone());
    ([(CONTENT_TYPE, JSON)], Body::new(list)).into_response()
}

async fn cluster(State(access): State<Arc<Access>>) -> ResponseResult {
    match &access.cluster {
        Some(status) => Ok(json(StatusCode::OK, &status())),
        None => {
            let why = "the revisions do not come from a cluster";
            Err(ErrorResponse(StatusCode::NOT_FOUND, why.to_owned()))
        }
    }
}

async fn show(State(access): State<Arc<Access>>, Path(parts): Parts) -> ResponseResult {
    let key = key(&parts)?;
    let config = access.revisions.config(&key);
    let config = config.ok_or_else(|| not_found(&key))?;
    let mut shown = config.to_json();
    let states = access.revisions.backend_counts(&key).map(states);
    let cluster = shown.get_mut("cluster").and_then(Json::as_object_mut);
    if let (Some(fields), Some(states)) = (cluster, states) {
        fields.insert("states".to_owned(), states);
    }
    if config.launch.is_none()
        && let Some(states) = access.revisions.backend_states(&key)
    {
        let state = |(address, state): (SocketAddr, BackendState)| json!({ "address": address, "state": state.as_str() });
        shown["backend_states"] = states.into_iter().map(state).collect();
    }
    let launcher = access.launcher.as_ref();
    if let Some(status) = launcher.and_then(|it| it.status(&key, true)) {
        shown["status"] = status;
    }
    Ok(json(StatusCode::OK, &shown))
}

async fn put(
    State(access): State<Arc<Access>>,
    Path(parts): Parts,
    target: Uri,
    headers: HeaderMap,
    body: Body,
) -> ResponseResult {
    let allowed = access.check_write(&target, &headers);
    let body = read(body, BODY_LIMIT).await;
    // Whoever may change a revision may not say what is run on this machine: that is no matter of rights.
    if let Ok(body) = &body {
        refuse_commands(body).map_err(bad_request)?;
    }
    allowed?;
    let key = key(&parts)?;
    let body = body?;
    let config = RevisionSpec::from_json(&key, &body, &access.inherited);
    let config = config.map_err(bad_request)?;
    if config.tls && !access.backend_tls {
        let why = "body: tls: needs ca_file in [backend_tls], which was not set at startup";
        return Err(bad_request(why));
    }
    let known = access.revisions.config(&key);
    if known.is_some_and(|it| it.launch.is_some()) {
        let why = format!(
            "the instances of {key} are started here, as the file says: change it there, or DELETE it first"
        );
        return Err(ErrorResponse(StatusCode::CONFLICT, why));
    }
    let shown = config.to_json();
    let status = match access.revisions.put(config) {
        Ok(true) => StatusCode::CREATED,
        Ok(false) => StatusCode::OK,
        Err(why) => {
            let why = format!("body: hosts: {why}");
            return Err(ErrorResponse(StatusCode::CONFLICT, why));
        }
    };
    tracing::info!(revision = %key, "set through the admin port");
    Ok(json(status, &shown))
}

async fn delete(
    State(access): State<Arc<Access>>,
    Path(parts): Parts,
    target: Uri,
    headers: HeaderMap,
) -> ResponseResult {
    let key = access.key_to_change(&target, &headers, &parts)?;
    if !access.revisions.remove(&key) {
        return Err(not_found(&key));
    }
    tracing::info!(revision = %key, "removed through the admin port");
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Starts an instance as if a request had come, and keeps one for as long as `?for=` says, or for the stable window.
async fn wake(
    State(access): State<Arc<Access>>,
    Path(parts): Parts,
    target: Uri,
    headers: HeaderMap,
) -> ResponseResult {
    let key = access.key_to_change(&target, &headers, &parts)?;
    let (launcher, launch) = access.launched(&key)?;
    let least = time(target.query())?.unwrap_or(launch.scale.stable_window);
    tracing::info!(revision = %key, r#for = ?least, "woken through the admin port");
    launcher.wake(key.clone(), least).await;
    Ok(status(launcher, &key))
}

/// Stops all instances once their requests have ended, until the next request.
async fn sleep(
    State(access): State<Arc<Access>>,
    Path(parts): Parts,
    target: Uri,
    headers: HeaderMap,
) -> ResponseResult {
    let key = access.key_to_change(&target, &headers, &parts)?;
    let (launcher, _) = access.launched(&key)?;
    tracing::info!(revision = %key, "put to sleep through the admin port");
    launcher.sleep(key.clone()).await;
    Ok(status(launcher, &key))
}

/// What has become of it by now: instances may still be starting, or have requests.
fn status(launcher: &Launcher, key: &RevisionKey) -> Response {
    json(StatusCode::ACCEPTED, &launcher.status(key, false).into())
}

impl Access {
    /// The launcher, for a revision whose instances it starts.
    fn launched(&self, key: &RevisionKey) -> Result<(&Launcher, Arc<LaunchSpec>), ErrorResponse> {
        let config = self.revisions.config(key).ok_or_else(|| not_found(key))?;
        match (&self.launcher, &config.launch) {
            (Some(launcher), Some(launch)) => Ok((launcher, Arc::clone(launch))),
            _ => {
                let why = format!(
                    "the instances of {key} are not started here: it has neither command nor start_command"
                );
                Err(ErrorResponse(StatusCode::CONFLICT, why))
            }
        }
    }

    /// The key of a revision that is to be changed.
    fn key_to_change(
        &self,
        target: &Uri,
        headers: &HeaderMap,
        parts: &(String, String),
    ) -> Result<RevisionKey, ErrorResponse> {
        self.check_write(target, headers)?;
        key(parts)
    }

    /// Whether a request with this target and these headers may change anything.
    pub(super) fn check_write(
        &self,
        target: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), ErrorResponse> {
        let outcome = if self.admin.write {
            origin::check(target, headers, &self.admin.hosts)
        } else {
            Err(
                "changes through the admin port are disabled; [admin] write = true enables them"
                    .into(),
            )
        };
        outcome.map_err(|why| ErrorResponse(StatusCode::FORBIDDEN, why))
    }
}

/// The number of backends in each state, with the names of the metric.
fn states(counts: BackendCounts) -> Json {
    let state = |state: BackendState| (state.as_str(), counts.of(state));
    BackendState::ALL.into_iter().map(state).collect()
}

fn key((namespace, name): &(String, String)) -> Result<RevisionKey, ErrorResponse> {
    RevisionKey::try_new(namespace, name)
        .map_err(|error| bad_request(format_args!("path: {error}")))
}

fn not_found(key: &RevisionKey) -> ErrorResponse {
    let why = format!("there is no revision {key}");
    ErrorResponse(StatusCode::NOT_FOUND, why)
}
