//! The activator's own responses: why a request is not served, as text.

use std::fmt;

use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use reporter_metrics::ErrorReason;

use super::held::{Accepted, Held};
use super::response_body::ResponseBody;

/// Why a request is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    reason: ErrorReason,
    text: String,
}

impl Refusal {
    pub(super) fn new(reason: ErrorReason, why: impl fmt::Display) -> Self {
        let text = format!("{why}\n");
        Self { reason, text }
    }

    pub(super) fn into_response(self, accepted: Accepted) -> Response<ResponseBody> {
        use ErrorReason as Why;
        let status = status(self.reason);
        let held = accepted.refused(self.reason, status);
        let mut response = text(status, self.text, held);
        let headers = response.headers_mut();
        match self.reason {
            // A slot or a descriptor may be free in a second, and the revisions known.
            Why::QueueFull | Why::OutOfDescriptors | Why::NotListed => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            // The sender may disagree with us about where such a request ends, or may never finish it.
            Why::BadRequest
            | Why::Connect
            | Why::NotSupported
            | Why::ClientTimeout
            | Why::BodyTooLarge
            | Why::HeaderTooLarge => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            _ => {}
        }
        response
    }
}

/// The status that a client gets.
fn status(reason: ErrorReason) -> StatusCode {
    use ErrorReason as Why;
    match reason {
        Why::BadRequest => StatusCode::BAD_REQUEST,
        Why::RevisionUnknown => StatusCode::NOT_FOUND,
        Why::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
        Why::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Why::HeaderTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        Why::NotSupported => StatusCode::NOT_IMPLEMENTED,
        Why::Connect
        | Why::BackendRefused
        | Why::BackendReset
        | Why::BackendTimeout
        | Why::BackendBadResponse => StatusCode::BAD_GATEWAY,
        // Only the first of these reach a client.
        Why::NotListed
        | Why::QueueFull
        | Why::OutOfDescriptors
        | Why::ClientFlood
        | Why::ClientGone
        | Why::Stopped => StatusCode::SERVICE_UNAVAILABLE,
        Why::Timeout | Why::ResponseStartTimeout | Why::IdleTimeout => StatusCode::GATEWAY_TIMEOUT,
    }
}

/// A plain-text response.
pub(super) fn text(status: StatusCode, text: String, held: Held) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::whole(text, held));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
