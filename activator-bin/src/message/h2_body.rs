//! A body received over HTTP/2, of a request or a response, read as fast as its reader polls it.
//!
//! What must not live here: the meaning of an error, which depends on the sender.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use http_body::{Frame, SizeHint};

/// A body as it arrives. Reading a part of it lets the sender continue.
#[derive(Debug)]
pub(crate) struct H2Body {
    stream: RecvStream,
    /// The bytes still to come, if known.
    length: Option<u64>,
}

impl H2Body {
    /// The body that follows `headers`.
    pub(crate) fn new(headers: &HeaderMap, stream: RecvStream) -> Self {
        // h2 checks the body against it.
        let length = length(headers);
        let is_over = stream.is_end_stream();
        let length = length.or(is_over.then_some(0));
        Self { stream, length }
    }

    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let Self { stream, length } = self;
        let end = match ready!(stream.poll_data(cx)) {
            Some(Ok(data)) => {
                // An error means that the stream is over.
                let _ = stream.flow_control().release_capacity(data.len());
                *length = length.map(|length| length.saturating_sub(data.len() as u64));
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Some(Err(error)) => Err(error),
            None => ready!(stream.poll_trailers(cx)),
        };
        let trailers = end.map(|trailers| trailers.map(Frame::trailers));
        Poll::Ready(trailers.transpose())
    }

    /// Whether the whole body has arrived, as far as known.
    pub(crate) fn is_whole(&self) -> bool {
        self.length.is_none_or(|length| length == 0)
    }

    pub(crate) fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        let exact = self.length.map(SizeHint::with_exact);
        exact.unwrap_or_default()
    }
}

/// The content length, if all its headers agree.
fn length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next()?;
    let length = first.to_str().ok()?;
    let is_plain = length.bytes().all(|byte| byte.is_ascii_digit());
    let is_same = lengths.all(|other| other == first);
    (is_plain && is_same).then(|| length.parse().ok())?
}
