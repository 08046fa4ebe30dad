//! The body of a backend's response, in either protocol.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::Response;
use http_body::{Body, Frame, SizeHint};

use super::http1::{Fault, Http1Body};
use crate::message::h2_body::H2Body;

/// A body as it arrives.
pub(crate) enum BackendBody {
    Http1(Http1Body),
    Http2(H2Body),
}

/// Why a body is incomplete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error("{0}")]
    Http1(#[source] Fault),
    #[error("{0}")]
    Http2(#[source] h2::Error),
    /// Ended without an error. The client must not take this for a complete body.
    #[error("the backend ended its response early")]
    Cut,
}

impl BackendBody {
    pub(super) fn http2(response: Response<RecvStream>) -> Response<Self> {
        let (head, stream) = response.into_parts();
        let body = H2Body::new(&head.headers, stream);
        Response::from_parts(head, Self::Http2(body))
    }
}

impl Body for BackendBody {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let body = match &mut *self {
            Self::Http1(body) => {
                let polled = ready!(Pin::new(body).poll_frame(cx));
                return Poll::Ready(polled.map(|frame| frame.map_err(ReceiveError::Http1)));
            }
            Self::Http2(body) => body,
        };
        Poll::Ready(match ready!(body.poll_frame(cx)) {
            Some(Err(error)) if error.reason() != Some(Reason::NO_ERROR) => {
                Some(Err(ReceiveError::Http2(error)))
            }
            // After a complete response this asks us to stop sending the request (RFC 9113, 8.1).
            Some(Err(error)) if error.is_reset() && body.is_whole() => None,
            Some(Err(_)) => Some(Err(ReceiveError::Cut)),
            frame => frame.map(|frame| frame.map_err(ReceiveError::Http2)),
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2(body) => body.size_hint(),
        }
    }
}
