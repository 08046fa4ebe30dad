//! Answers of the activator's own: why a request is not served, as text.

use std::fmt;

use http::header::{CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};

use crate::body::{Body, Held};

/// Why a request is not served.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, why: impl fmt::Display) -> Self {
        Self {
            status,
            text: format!("{why}\n"),
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
        response
    }
}
