//! The relay of a response from its backend. It owns everything that the request holds.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reporter_metrics::ErrorReason;

use super::held::Held;
use crate::message::trailers;
use crate::timeouts::{Deadline, TimeoutKind};
use crate::upstream::{BackendBody, Lease, ReceiveError};

mod late_upload;

/// A response body in transit, and everything that its request holds.
pub(crate) struct Relay {
    from: BackendBody,
    lease: Lease,
    held: Held,
    is_complete: bool,
}

impl Relay {
    /// Relays `from`, over a connection that returns to its pool at the end.
    pub(crate) fn new(from: BackendBody, lease: Lease, held: Held) -> Self {
        let mut relay = Self {
            from,
            lease,
            held,
            is_complete: false,
        };
        if relay.is_at_end() {
            relay.on_end();
        }
        relay
    }

    /// The request timed out: ends it in a way that the client notices.
    pub(crate) fn time_out(mut self: Box<Self>, kind: TimeoutKind) {
        self.held.fail(kind.into());
        self.held.cut();
    }

    /// Whether the response is complete but the upload is not.
    pub(super) fn is_uploading(&self) -> bool {
        self.is_complete && self.lease.is_uploading()
    }

    /// Lets the upload finish, until `deadline` at the latest.
    pub(super) fn finish_upload(self: Box<Self>, deadline: Deadline<Box<Self>>) {
        late_upload::finish(self, deadline);
    }

    /// The response ends early, for this reason.
    pub(super) fn fail(&mut self, reason: ErrorReason) {
        self.held.fail(reason);
    }

    fn on_end(&mut self) {
        self.is_complete = true;
        self.lease.give_back();
        self.held.complete();
    }

    pub(super) fn is_at_end(&self) -> bool {
        http_body::Body::is_end_stream(&self.from)
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let mut polled = http_body::Body::poll_frame(Pin::new(&mut self.from), cx);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled {
            self.held.sent(frame.data_ref().map_or(0, Bytes::len));
            trailers::clean(frame);
        }
        let at_end = match &polled {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(frame))) => frame.is_trailers() || self.is_at_end(),
            _ => false,
        };
        if at_end {
            self.on_end();
        }
        if let Poll::Ready(Some(Err(_))) = polled {
            self.held.fail(if self.held.is_too_large() {
                ErrorReason::BodyTooLarge
            } else {
                ErrorReason::BackendReset
            });
        }
        polled
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.from)
    }
}
