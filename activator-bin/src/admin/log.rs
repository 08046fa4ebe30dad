//! `/v1/log`: shows the log filter and, where allowed, changes it, for a time or until further notice.
//!
//! JSON with the field `log` of the file. A change lasts until DELETE, SIGUSR1 or the end of its time, or that of the
//! process.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::routing::get;
use serde_json::Value as Json;

use super::exchange::{ErrorResponse, ResponseResult, bad_request, json, read, time};
use super::revisions::Access;
use crate::logging::{Control, Event, Filter, control};
use crate::settings::{Value, quoted};

/// The largest body, in KiB.
const BODY_LIMIT: usize = 4;

const EXPECTED: &str = "an object like {\"log\": \"info,hyper=debug\"}";

pub(super) fn router(access: Arc<Access>) -> Router {
    Router::new()
        .route("/v1/log", get(show).put(put).delete(delete))
        .with_state(access)
}

async fn show() -> ResponseResult {
    Ok(json(StatusCode::OK, &log()?.status()))
}

async fn put(
    State(access): State<Arc<Access>>,
    target: Uri,
    headers: HeaderMap,
    body: Body,
) -> ResponseResult {
    let allowed = access.check_write(&target, &headers);
    // Read in any case, so that the connection can be used again.
    let body = read(body, BODY_LIMIT).await;
    allowed?;
    let filter = filter(&body?).map_err(bad_request)?;
    change(Event::Set(filter, time(target.query())?))
}

async fn delete(
    State(access): State<Arc<Access>>,
    target: Uri,
    headers: HeaderMap,
) -> ResponseResult {
    access.check_write(&target, &headers)?;
    change(Event::Reset)
}

fn change(event: Event) -> ResponseResult {
    let log = log()?;
    log.on(event);
    Ok(json(StatusCode::OK, &log.status()))
}

fn log() -> Result<&'static Control, ErrorResponse> {
    control().ok_or_else(|| {
        let why = "this activator is a part of another program, which logs as it likes";
        ErrorResponse(StatusCode::NOT_FOUND, why.to_owned())
    })
}

/// The filter in the body of a change.
fn filter(body: &[u8]) -> Result<Filter, String> {
    let body: Json = serde_json::from_slice(body)
        .map_err(|error| format!("body: {error}; expected {EXPECTED}"))?;
    let fields = body.as_object().ok_or_else(|| {
        let wrong = Value::Json(&body).instead_of(EXPECTED);
        format!("body: {wrong}")
    })?;
    if let Some(unknown) = fields.keys().find(|name| *name != "log") {
        let unknown = quoted(unknown);
        return Err(format!("body: {unknown}: unknown field; known here: log"));
    }
    let log = fields
        .get("log")
        .ok_or_else(|| format!("body: log: is missing; expected {EXPECTED}"))?;
    Filter::read(&Value::Json(log)).map_err(|why| format!("body: log: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_has_a_filter_or_is_told_what_would_be_right() {
        let good = filter(br#"{"log": "warn,hyper=debug"}"#).unwrap();
        assert_eq!(good.to_string(), "warn,hyper=debug");
        let expected = "expected a log filter, like \"info\" or \"info,hyper=debug\"";
        for (body, why) in [
            (
                "debug",
                format!("body: expected value at line 1 column 1; expected {EXPECTED}"),
            ),
            (
                "\"debug\"",
                format!("body: expected {EXPECTED}, found \"debug\""),
            ),
            ("{}", format!("body: log: is missing; expected {EXPECTED}")),
            (
                r#"{"level": "debug"}"#,
                "body: \"level\": unknown field; known here: log".to_owned(),
            ),
            (
                r#"{"log": null}"#,
                format!("body: log: {expected}, found null"),
            ),
            (
                r#"{"log": "debgu"}"#,
                format!("body: log: {expected}, found \"debgu\"; did you mean \"debug\"?"),
            ),
        ] {
            assert_eq!(filter(body.as_bytes()).unwrap_err(), why, "{body}");
        }
    }
}
