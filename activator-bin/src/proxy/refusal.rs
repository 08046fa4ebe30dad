//! The activator's own responses: mostly why a request is not served, as text.

use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use reporter_core::RevisionKey;
use reporter_metrics::ErrorReason;

use super::held::{Accepted, Held};
use super::response_body::ResponseBody;
use crate::throttle::Failure;

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A response of our own, instead of one from a backend.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Why the request is not served, as text.
    Text {
        reason: ErrorReason,
        text: String,
        /// Seconds until another attempt may succeed, if that is known.
        retry_after: Option<u64>,
    },
    /// Another response.
    Other {
        /// What is wrong, if anything is.
        reason: Option<ErrorReason>,
        response: Box<Response<Bytes>>,
    },
}

impl Refusal {
    pub(super) fn new(reason: ErrorReason, why: impl fmt::Display) -> Self {
        use ErrorReason as Why;
        // A slot or a descriptor may be free in a second, and the revisions known.
        let passes = matches!(
            reason,
            Why::QueueFull | Why::OutOfDescriptors | Why::NotListed
        );
        Self::Text {
            reason,
            text: format!("{why}\n"),
            retry_after: passes.then_some(1),
        }
    }

    /// What is wrong, if anything is.
    pub(super) fn reason(&self) -> Option<ErrorReason> {
        match self {
            Self::Text { reason, .. } => Some(*reason),
            Self::Other { reason, .. } => *reason,
        }
    }

    /// `reason` is what is wrong, if anything is.
    pub(super) fn other(reason: Option<ErrorReason>, response: Response<Bytes>) -> Self {
        let response = Box::new(response);
        Self::Other { reason, response }
    }

    /// No instance is ready for a request that does not wait for one.
    pub(super) fn asleep(key: &RevisionKey, status: StatusCode) -> Self {
        use StatusCode as Status;
        let has_no_body = matches!(
            status,
            Status::NO_CONTENT | Status::RESET_CONTENT | Status::NOT_MODIFIED
        );
        let text = match has_no_body {
            true => String::new(),
            false => format!("no instance of revision {key} is ready\n"),
        };
        let mut response = Response::new(Bytes::from(text));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if !has_no_body {
            headers.insert(CONTENT_TYPE, PLAIN);
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Self::other(None, response)
    }

    /// No instance of the revision is ready or expected to be.
    pub(super) fn failed_to_start(key: &RevisionKey, failure: &Failure) -> Self {
        let seconds = failure.seconds_left(Instant::now());
        let text = format!(
            "revision {key} failed to start: {}; the next request after {seconds} s tries again\n",
            failure.why
        );
        Self::Text {
            reason: ErrorReason::StartFailed,
            text,
            retry_after: Some(seconds),
        }
    }

    pub(super) fn into_response(self, accepted: Accepted) -> Response<ResponseBody> {
        use ErrorReason as Why;
        let (reason, why, retry_after) = match self {
            Self::Text {
                reason,
                text,
                retry_after,
            } => (reason, text, retry_after),
            Self::Other { reason, response } => {
                let held = accepted.refused(reason, response.status());
                return response.map(|content| ResponseBody::whole(content, held));
            }
        };
        let status = status(reason);
        let held = accepted.refused(Some(reason), status);
        let mut response = text(status, why, held);
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        match reason {
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
        | Why::StartFailed
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
    headers.insert(CONTENT_TYPE, PLAIN);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
