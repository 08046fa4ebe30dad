//! Answers of the activator's own: why a request is not served, as text.

use std::fmt;

use http::header::{CONTENT_TYPE, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};

use crate::body::{Body, Held};

/// Why a request is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
    retry_after: Option<HeaderValue>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, why: impl fmt::Display) -> Self {
        Self {
            status,
            text: format!("{why}\n"),
            retry_after: None,
        }
    }

    /// A refusal that may be none in a second.
    pub(super) fn for_now(status: StatusCode, why: impl fmt::Display) -> Self {
        Self {
            retry_after: Some(HeaderValue::from_static("1")),
            ..Self::new(status, why)
        }
    }

    pub(super) fn into_response(self, held: Held) -> Response<Body> {
        let mut response = Response::new(Body::whole(self.text, held));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(delay) = self.retry_after {
            headers.insert(RETRY_AFTER, delay);
        }
        response
    }
}
