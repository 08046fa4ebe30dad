//! A response body. It owns what its request holds: the request is over when the body ends or is dropped.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use reporter_metrics::ErrorReason;

use super::held::Held;
use super::relay::Relay;
use super::tunnel::Tunnel;
use crate::timeouts::Deadline;
use crate::upstream::{ReceiveError, Switched};

pub(crate) struct ResponseBody(Content);

enum Content {
    /// The text, or nothing once it was sent.
    Whole {
        text: Option<Bytes>,
        held: Held,
    },
    Relayed(Relayed),
    /// No body: after the head the connection leaves HTTP. `None` once taken.
    Switched(Option<Tunnel>),
}

/// The deadline holds the [`Relay`] until it expires. `None` only while dropping.
struct Relayed(Option<Deadline<Box<Relay>>>);

impl Relayed {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Registers the waker first: the deadline must fire even while the client is not reading and hyper does not
        // poll.
        if self.poll_met(cx).is_ready() {
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        }
        let deadline = self.0.as_ref();
        let Some((deadline, mut relay)) = deadline.and_then(|held| Some((held, held.take()?)))
        else {
            return Poll::Ready(Some(Err(BodyError::TimedOut)));
        };
        let polled = relay.poll_frame(cx).map_err(BodyError::Backend);
        deadline.hold(relay);
        if let Poll::Ready(Some(Ok(_))) = polled {
            deadline.on_activity();
        }
        polled
    }

    fn poll_met(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            Some(deadline) => deadline.poll_met(cx).map(|_| ()),
            None => Poll::Ready(()),
        }
    }

    fn held<R>(&self, look: impl FnOnce(&Box<Relay>) -> R) -> Option<R> {
        self.0.as_ref()?.held(look)
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        if let Some(deadline) = self.0.take()
            && let Some(relay) = deadline.take()
            && relay.is_uploading()
        {
            relay.finish_upload(deadline);
        }
    }
}

/// Why a body ends early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the backend's response ended early")]
    Backend(#[from] ReceiveError),
    #[error("the request timed out")]
    TimedOut,
}

impl ResponseBody {
    pub(crate) fn whole(text: impl Into<Bytes>, mut held: Held) -> Self {
        let text = text.into();
        held.complete();
        Self(Content::Whole {
            text: (!text.is_empty()).then_some(text),
            held,
        })
    }

    /// Relays a backend's response until `deadline`.
    pub(crate) fn relayed(relay: Box<Relay>, deadline: Deadline<Box<Relay>>) -> Self {
        deadline.hold(relay);
        Self(Content::Relayed(Relayed(Some(deadline))))
    }

    /// An empty body, followed by the connection of the backend that switched protocols.
    pub(crate) fn switched(
        backend: (Switched, Bytes),
        held: Held,
        deadline: Deadline<Box<Relay>>,
    ) -> Self {
        let tunnel = Tunnel::new(backend, held, deadline);
        Self(Content::Switched(Some(tunnel)))
    }

    /// Takes what follows this response on its connection if that is not HTTP. The request lives on in it.
    pub(crate) fn take_tunnel(&mut self) -> Option<Tunnel> {
        match &mut self.0 {
            Content::Switched(tunnel) => tunnel.take(),
            Content::Whole { .. } | Content::Relayed(_) => None,
        }
    }

    /// Whether the whole body is available.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.0, Content::Whole { .. })
    }

    /// Ready when the request timed out. For use while the client does not read, so that the body is not polled.
    pub(crate) fn poll_met(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            Content::Relayed(relayed) => relayed.poll_met(cx),
            Content::Whole { .. } | Content::Switched(_) => Poll::Pending,
        }
    }

    /// The body ends early, for this reason.
    pub(crate) fn fail(self, reason: ErrorReason) {
        match self.0 {
            Content::Whole { mut held, .. } => held.fail(reason),
            Content::Relayed(mut relayed) => {
                let relay = relayed.0.take().and_then(|deadline| deadline.take());
                if let Some(mut relay) = relay {
                    relay.fail(reason);
                }
            }
            Content::Switched(_) => {}
        }
    }
}

impl http_body::Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Content::Whole { text, held } => Poll::Ready(text.take().map(|text| {
                held.sent(text.len());
                Ok(Frame::data(text))
            })),
            Content::Switched(_) => Poll::Ready(None),
            Content::Relayed(relayed) => relayed.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Content::Whole { text, .. } => text.is_none(),
            Content::Switched(_) => true,
            Content::Relayed(relayed) => relayed.held(|relay| relay.is_at_end()).unwrap_or(false),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Whole { text, .. } => {
                SizeHint::with_exact(text.as_ref().map_or(0, Bytes::len) as u64)
            }
            Content::Switched(_) => SizeHint::with_exact(0),
            Content::Relayed(relayed) => {
                let hint = relayed.held(|relay| relay.size_hint());
                hint.unwrap_or_default()
            }
        }
    }
}
