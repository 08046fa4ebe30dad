//! The body of a backend's answer, in either protocol.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// A body as it comes.
pub(crate) enum Received {
    Http1(Incoming),
    Http2 {
        stream: RecvStream,
        /// What is still to come, when that was said.
        length: Option<u64>,
    },
}

/// Why a body is not complete.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReceiveError {
    #[error("{0}")]
    Http1(#[source] hyper::Error),
    #[error("{0}")]
    Http2(#[source] h2::Error),
    /// Without an error, which must not look like an end to the client.
    #[error("the backend has ended its answer too early")]
    Cut,
}

impl Received {
    pub(super) fn http2(response: Response<RecvStream>) -> Response<Self> {
        let length = length(response.headers());
        response.map(|stream| Self::Http2 { stream, length })
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (first, second) = (lengths.next()?, lengths.next());
    let length = first.to_str().ok()?.parse().ok()?;
    second.is_none().then_some(length)
}

impl Body for Received {
    type Data = Bytes;
    type Error = ReceiveError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let (stream, length) = match &mut *self {
            Self::Http1(body) => {
                let polled = ready!(Pin::new(body).poll_frame(cx));
                return Poll::Ready(polled.map(|frame| frame.map_err(ReceiveError::Http1)));
            }
            Self::Http2 { stream, length } => (stream, length),
        };
        let polled = match ready!(stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // An error means that there is nothing more to come.
                let _ = stream.flow_control().release_capacity(data.len());
                *length = length.map(|length| length.saturating_sub(data.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some(Err(error)) => Err(error),
            None => ready!(stream.poll_trailers(cx)),
        };
        Poll::Ready(match polled {
            Ok(trailers) => trailers.map(|trailers| Ok(Frame::trailers(trailers))),
            Err(error) if error.reason() != Some(Reason::NO_ERROR) => {
                Some(Err(ReceiveError::Http2(error)))
            }
            // Behind a complete answer it asks us to stop sending the request (RFC 9113, 8.1).
            Err(error) if error.is_reset() && length.is_none_or(|length| length == 0) => None,
            Err(_) => Some(Err(ReceiveError::Cut)),
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(body) => body.is_end_stream(),
            Self::Http2 { stream, .. } => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2 { length, .. } => length.map_or_else(SizeHint::new, SizeHint::with_exact),
        }
    }
}
