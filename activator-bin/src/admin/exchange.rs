//! What all changes through the admin port have in common: bodies within bounds, and responses in JSON.

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::settings::Value;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a change can last that is made for a time.
const TIME: RangeInclusive<&str> = "1s"..="30d";

pub(super) const JSON: &str = "application/json";

/// An error response; its body is one message per line.
pub(super) struct ErrorResponse(pub(super) StatusCode, pub(super) String);

pub(super) type ResponseResult = Result<Response, ErrorResponse>;

/// The body of a change, of at most `limit` KiB.
pub(super) async fn read(body: Body, limit: usize) -> Result<Bytes, ErrorResponse> {
    let body = timeout(BODY_TIMEOUT, to_bytes(body, limit << 10)).await;
    let body = body.map_err(|_| {
        let why = format!("the body did not arrive within {BODY_TIMEOUT:?}");
        ErrorResponse(StatusCode::REQUEST_TIMEOUT, why)
    })?;
    body.map_err(|error| match std::error::Error::source(&error) {
        Some(cause) if cause.is::<http_body_util::LengthLimitError>() => {
            let why = format!("the body is larger than {limit} KiB");
            ErrorResponse(StatusCode::PAYLOAD_TOO_LARGE, why)
        }
        _ => bad_request(format_args!("body: {error}")),
    })
}

/// For how long a change is to last, as in `?for=10m`; `None` if the query does not say.
pub(super) fn time(query: Option<&str>) -> Result<Option<Duration>, ErrorResponse> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(None);
    };
    let text = query.strip_prefix("for=");
    let text = text.ok_or_else(|| bad_request("the only parameter is for, as in ?for=10m"))?;
    let read = Value::Text(text).duration(TIME).map(Some);
    read.map_err(|why| bad_request(format_args!("for: {why}")))
}

pub(super) fn bad_request(why: impl ToString) -> ErrorResponse {
    ErrorResponse(StatusCode::BAD_REQUEST, why.to_string())
}

pub(super) fn json(status: StatusCode, json: &Json) -> Response {
    let headers = [(CONTENT_TYPE, JSON)];
    (status, headers, format!("{json}\n")).into_response()
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let Self(status, why) = self;
        (status, format!("{why}\n")).into_response()
    }
}
