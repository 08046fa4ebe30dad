//! Responses to bytes that never became a request: their head is malformed, too large or too late.
//!
//! What must not live here: refusals of requests, whose head was parsed.

use std::time::Duration;

use http::StatusCode;
use reporter_metrics::ErrorReason;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::requests::Fault;
use crate::limits::Limits;

/// How long writing the response may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why no request could be read. The connection is closed.
pub(super) struct BadHead {
    pub(super) reason: ErrorReason,
    status: StatusCode,
    why: String,
}

impl BadHead {
    /// The head did not arrive in time.
    pub(super) fn late(limit: Duration) -> Self {
        Self {
            reason: ErrorReason::ClientTimeout,
            status: StatusCode::REQUEST_TIMEOUT,
            why: format!("the request head did not arrive within {limit:?}"),
        }
    }

    /// The head has a fault that hyper does not check for.
    pub(super) fn of(fault: Fault, limits: &Limits) -> Self {
        match fault {
            Fault::Fragment => Self {
                reason: ErrorReason::BadRequest,
                status: StatusCode::BAD_REQUEST,
                why: "the request target has a fragment (#)".to_owned(),
            },
            Fault::TooLarge => Self::too_large(limits),
        }
    }

    /// Hyper could not parse the head and would have responded with `status`.
    pub(super) fn unreadable(status: StatusCode, error: &hyper::Error, limits: &Limits) -> Self {
        match status {
            StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Self::too_large(limits),
            StatusCode::URI_TOO_LONG => Self {
                reason: ErrorReason::HeaderTooLarge,
                status,
                why: "the request target is too long".to_owned(),
            },
            _ => Self {
                reason: ErrorReason::BadRequest,
                status,
                why: format!("malformed request head: {error}"),
            },
        }
    }

    fn too_large(limits: &Limits) -> Self {
        Self {
            reason: ErrorReason::HeaderTooLarge,
            status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            why: format!(
                "the request head has more than {} bytes, or more than {} headers",
                limits.max_header_size, limits.max_headers
            ),
        }
    }

    /// Cancelling may leave the response partly written.
    pub(super) async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) {
        let Self { status, why, .. } = self;
        let length = why.len() + 1;
        let response = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Length: {length}\r\n\r\n{why}\n"
        );
        let writing = async {
            stream.write_all(response.as_bytes()).await?;
            stream.flush().await
        };
        // A client that does not read gets no response.
        let _ = timeout(PATIENCE, writing).await;
    }
}
