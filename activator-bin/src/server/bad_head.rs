//! What is said to a client whose bytes never became a request: its head breaks the rules, is too long or
//! comes too late.
//!
//! What must not live here: refusals of requests, which have a head that was read.

use std::time::Duration;

use http::StatusCode;
use reporter_metrics::ErrorReason;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::requests::Fault;
use crate::limits::Limits;

/// How long a client may take to make room for so few bytes.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why no request could be read. It ends the connection.
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
            why: format!("the head of the request did not come within {limit:?}"),
        }
    }

    /// The head has a fault that hyper does not see.
    pub(super) fn of(fault: Fault, limits: &Limits) -> Self {
        match fault {
            Fault::Fragment => Self {
                reason: ErrorReason::BadRequest,
                status: StatusCode::BAD_REQUEST,
                why: "the request target has a fragment: # and what is behind it".to_owned(),
            },
            Fault::TooLarge => Self::too_large(limits),
        }
    }

    /// Hyper does not understand the head, for which it would have answered with `status`.
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
                why: format!("the head of the request breaks the rules of HTTP: {error}"),
            },
        }
    }

    fn too_large(limits: &Limits) -> Self {
        Self {
            reason: ErrorReason::HeaderTooLarge,
            status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            why: format!(
                "the head of the request has more than {} bytes, or more than {} headers",
                limits.max_header_size, limits.max_headers
            ),
        }
    }

    /// Cancelling it may leave a part of the answer written.
    pub(super) async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) {
        let Self { status, why, .. } = self;
        let length = why.len() + 1;
        let answer = format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
             X-Content-Type-Options: nosniff\r\nContent-Length: {length}\r\n\r\n{why}\n"
        );
        let writing = async {
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await
        };
        // Whoever does not read is not told.
        let _ = timeout(PATIENCE, writing).await;
    }
}
