//! The body of an answer. It holds what its request holds: when it ends or is dropped, the request is over.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::StatusCode;
use http_body::{Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use reporter_core::RevisionKey;
use reporter_metrics::ErrorReason;
use reporter_runtime::InFlight;
use tokio::sync::oneshot;

use crate::client::Exchange;
use crate::message::request_body::AnswerOver;
use crate::message::trailers;
use crate::outcome::Outcome;
use crate::server::tunnel::Tunnel;
use crate::throttle::Slot;
use crate::timeouts::{Deadline, TimeoutKind};
use crate::upstream::{Lease, ReceiveError, Received};

mod late_upload;

/// What a request holds until it is over.
pub(crate) struct Held {
    slot: Option<Slot>,
    in_flight: Option<InFlight>,
    /// None where nobody asks how it ended.
    outcome: Option<Outcome>,
    /// Of use to an upload that the backend did not want.
    answering: Option<oneshot::Sender<AnswerOver>>,
    /// Set by an upload that is larger than it may be.
    is_too_large: Option<Rc<Cell<bool>>>,
    exchange: Exchange,
}

impl Held {
    /// By a request that is not counted yet.
    pub(crate) fn new(exchange: Exchange) -> Self {
        Self {
            slot: None,
            in_flight: None,
            outcome: None,
            answering: None,
            is_too_large: None,
            exchange,
        }
    }

    /// The backend that answers has this slot taken by the request.
    pub(crate) fn occupy(&mut self, slot: Slot) {
        self.slot = Some(slot);
    }

    /// Somebody waits for the end of the answer.
    pub(crate) fn announce_end(&mut self, answering: oneshot::Sender<AnswerOver>) {
        self.answering = Some(answering);
    }

    /// The request's body may turn out to be larger than it may be.
    pub(crate) fn bound(&mut self, is_too_large: Rc<Cell<bool>>) {
        self.is_too_large = Some(is_too_large);
    }

    /// Whether it has.
    pub(crate) fn is_too_large(&self) -> bool {
        self.is_too_large.as_ref().is_some_and(|flag| flag.get())
    }

    pub(crate) fn count(&mut self, revision: &RevisionKey, in_flight: InFlight) {
        self.in_flight = Some(in_flight);
        if let Some(outcome) = &mut self.outcome {
            outcome.belong_to(revision);
        }
    }

    pub(crate) fn observe(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
    }

    pub(crate) fn answer(&mut self, status: StatusCode) {
        if let Some(outcome) = &mut self.outcome {
            outcome.answer(status);
        }
    }

    pub(crate) fn fail(&mut self, reason: ErrorReason) {
        if let Some(outcome) = &mut self.outcome {
            outcome.fail(reason);
        }
    }

    /// All of the response is there.
    pub(crate) fn complete(&mut self) {
        self.answering = None;
        if let Some(outcome) = &mut self.outcome {
            outcome.complete();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(outcome) = &mut self.outcome
            && self.exchange.is_late()
        {
            outcome.late();
        }
    }
}

/// What a backend sends, as it comes, and all that its request holds.
pub(crate) struct Relay {
    from: Received,
    lease: Lease,
    held: Held,
    is_complete: bool,
}

impl Relay {
    /// What comes from a backend, over a connection that is given back at the end.
    pub(crate) fn new(from: Received, lease: Lease, held: Held) -> Self {
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

    /// The request has met a time-out: all of it ends now, in a way that the client notices.
    pub(crate) fn time_out(mut self: Box<Self>, kind: TimeoutKind) {
        self.held.fail(kind.into());
        self.held.exchange.cut();
    }

    fn on_end(&mut self) {
        self.is_complete = true;
        self.lease.give_back();
        self.held.complete();
    }

    fn is_at_end(&self) -> bool {
        http_body::Body::is_end_stream(&self.from)
    }

    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReceiveError>>> {
        let mut polled = http_body::Body::poll_frame(Pin::new(&mut self.from), cx);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled {
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
            self.held.fail(match self.held.is_too_large() {
                true => ErrorReason::BodyTooLarge,
                false => ErrorReason::BackendReset,
            });
        }
        polled
    }
}

/// The body of an answer.
pub(crate) struct Body(Content);

enum Content {
    /// All of it, or nothing any more.
    Whole {
        text: Option<Bytes>,
        held: Held,
    },
    Relayed(Relayed),
    /// Nothing, and the connection leaves HTTP behind the head. None once that is taken.
    Switched(Option<Tunnel>),
}

/// The deadline holds the [`Relay`] until it is met. None only at the very end.
struct Relayed(Option<Deadline<Box<Relay>>>);

impl Relayed {
    fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // Also for the time in which the client takes nothing and nobody asks for more.
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
            && relay.is_complete
            && relay.lease.is_uploading()
        {
            late_upload::go_on(relay, deadline);
        }
    }
}

/// Why a body does not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the backend's answer broke off")]
    Backend(#[from] ReceiveError),
    #[error("the request has met a time-out")]
    TimedOut,
}

impl Body {
    pub(crate) fn whole(text: impl Into<Bytes>, mut held: Held) -> Self {
        let text = text.into();
        held.complete();
        Self(Content::Whole {
            text: (!text.is_empty()).then_some(text),
            held,
        })
    }

    /// What comes from a backend, until `deadline`.
    pub(crate) fn relayed(relay: Box<Relay>, deadline: Deadline<Box<Relay>>) -> Self {
        deadline.hold(relay);
        Self(Content::Relayed(Relayed(Some(deadline))))
    }

    /// Nothing; behind it is the connection of the backend that switched.
    pub(crate) fn switched(
        backend: OnUpgrade,
        lease: Lease,
        held: Held,
        deadline: Deadline<Box<Relay>>,
    ) -> Self {
        let tunnel = Tunnel::new(backend, lease, held, deadline);
        Self(Content::Switched(Some(tunnel)))
    }

    /// What follows this answer on its connection, when that is not HTTP. The request lives on in it.
    pub(crate) fn take_tunnel(&mut self) -> Option<Tunnel> {
        match &mut self.0 {
            Content::Switched(tunnel) => tunnel.take(),
            Content::Whole { .. } | Content::Relayed(_) => None,
        }
    }

    /// Whether it is there as a whole.
    pub(crate) fn is_whole(&self) -> bool {
        matches!(self.0, Content::Whole { .. })
    }

    /// Ready when it has met a time-out. For whoever has a part of it that the client does not take, and does not
    /// ask for more.
    pub(crate) fn poll_met(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.0 {
            Content::Relayed(relayed) => relayed.poll_met(cx),
            Content::Whole { .. } | Content::Switched(_) => Poll::Pending,
        }
    }

    /// It does not come to its end, for this reason.
    pub(crate) fn fail(self, reason: ErrorReason) {
        match self.0 {
            Content::Whole { mut held, .. } => held.fail(reason),
            Content::Relayed(mut relayed) => {
                let relay = relayed.0.take().and_then(|deadline| deadline.take());
                if let Some(mut relay) = relay {
                    relay.held.fail(reason);
                }
            }
            Content::Switched(_) => {}
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
        match &mut self.0 {
            Content::Whole { text, .. } => {
                Poll::Ready(text.take().map(|text| Ok(Frame::data(text))))
            }
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
                let hint = relayed.held(|relay| http_body::Body::size_hint(&relay.from));
                hint.unwrap_or_default()
            }
        }
    }
}
