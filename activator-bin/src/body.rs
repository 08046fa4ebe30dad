//! The body of an answer. It holds what its request holds: when it ends or is dropped, the request is over.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use reporter_runtime::InFlight;

use crate::server::client::Exchange;
use crate::server::tunnel::Tunnel;
use crate::throttle::Slot;
use crate::upstream::{BodyError, Lease, Received};

/// What a request holds until it is over.
pub(crate) struct Held {
    slot: Option<Slot>,
    in_flight: Option<InFlight>,
    _exchange: Exchange,
}

impl Held {
    /// By a request that is not counted yet.
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self {
            slot: None,
            in_flight: None,
            _exchange: exchange,
        }
    }

    /// The backend that answers has this slot taken by the request.
    pub(crate) fn occupy(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    pub(crate) fn count(&mut self, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
    }
}

/// The body of an answer.
pub(crate) struct Body {
    content: Content,
    held: Option<Held>,
}

enum Content {
    /// All of it, or nothing any more.
    Whole(Option<Bytes>),
    /// What a backend sends, as it comes.
    Relayed { from: Received, lease: Lease },
    /// Nothing, and the connection leaves HTTP behind the head.
    Switched(OnUpgrade),
}

impl Body {
    pub(crate) fn whole(text: impl Into<Bytes>, held: Held) -> Self {
        let text = text.into();
        Self {
            content: Content::Whole((!text.is_empty()).then_some(text)),
            held: Some(held),
        }
    }

    /// What comes from a backend, over a connection that is given back at the end.
    pub(crate) fn relayed(from: Received, lease: Lease, held: Held) -> Self {
        let mut body = Self {
            content: Content::Relayed { from, lease },
            held: Some(held),
        };
        body.give_back_at_end();
        body
    }

    /// Nothing; behind it is the connection of the backend that switched.
    pub(crate) fn switched(backend: OnUpgrade, held: Held) -> Self {
        Self {
            content: Content::Switched(backend),
            held: Some(held),
        }
    }

    /// What follows this answer on its connection, when that is not HTTP. The request lives on in it.
    pub(crate) fn take_tunnel(&mut self) -> Option<Tunnel> {
        match std::mem::replace(&mut self.content, Content::Whole(None)) {
            Content::Switched(backend) => Some(Tunnel::new(backend, self.held.take()?)),
            content => {
                self.content = content;
                None
            }
        }
    }

    fn give_back_at_end(&mut self) {
        if let Content::Relayed { from, lease } = &mut self.content
            && http_body::Body::is_end_stream(from)
        {
            lease.give_back();
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.content {
            Content::Whole(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Content::Switched(_) => Poll::Ready(None),
            Content::Relayed { from, lease } => {
                let polled = Pin::new(&mut *from).poll_frame(cx);
                let at_end = match &polled {
                    Poll::Ready(None) => true,
                    Poll::Ready(Some(Ok(frame))) => {
                        frame.is_trailers() || http_body::Body::is_end_stream(from)
                    }
                    _ => false,
                };
                if at_end {
                    lease.give_back();
                }
                polled
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Whole(text) => text.is_none(),
            Content::Switched(_) => true,
            Content::Relayed { from, .. } => from.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Whole(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64)
            }
            Content::Relayed { from, .. } => from.size_hint(),
            Content::Switched(_) => SizeHint::with_exact(0),
        }
    }
}
