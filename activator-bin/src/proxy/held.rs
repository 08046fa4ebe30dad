//! What a request holds until it is over: its slot, its count, and what is known of its outcome.
//!
//! It is [`Accepted`] until its response begins, and then [`Held`] by that response's body. Whoever drops either, and
//! whenever, gives all of it back.

use std::cell::Cell;
use std::rc::Rc;

use http::StatusCode;
use reporter_core::RevisionKey;
use reporter_metrics::ErrorReason;
use reporter_runtime::InFlight;
use tokio::sync::oneshot;

use super::outcome::Outcome;
use crate::client::Exchange;
use crate::message::request_body::AnswerOver;
use crate::throttle::Slot;

/// What a request holds whose response has not begun.
pub(super) struct Accepted(Held);

/// What a request holds whose response has begun.
pub(crate) struct Held {
    /// None of one of our own.
    slot: Option<Slot>,
    /// None when it belongs to no revision.
    in_flight: Option<InFlight>,
    /// None when nobody asks how it ended.
    outcome: Option<Outcome>,
    body: UploadSignals,
    exchange: Exchange,
}

/// What a response and the body of its request tell each other.
#[derive(Default)]
pub(super) struct UploadSignals {
    /// Dropped when the response is complete. Of use to a body that the backend did not want.
    pub(super) over: Option<oneshot::Sender<AnswerOver>>,
    /// Set by a body that is larger than it may be.
    pub(super) is_too_large: Option<Rc<Cell<bool>>>,
}

impl Accepted {
    pub(super) fn new(exchange: Exchange, outcome: Outcome) -> Self {
        let mut held = Held::uncounted(exchange);
        held.outcome = Some(outcome);
        Self(held)
    }

    /// It is in flight for a revision.
    pub(super) fn counted(
        mut self,
        revision: &RevisionKey,
        in_flight: InFlight,
        body: UploadSignals,
    ) -> Self {
        self.0.with_outcome(|outcome| outcome.belong_to(revision));
        self.0.in_flight = Some(in_flight);
        self.0.body = body;
        self
    }

    /// Whether the request's body is larger than it may be.
    pub(super) fn is_too_large(&self) -> bool {
        self.0.is_too_large()
    }

    /// A backend on which it has `slot` sends a response.
    pub(super) fn responded(mut self, slot: Slot, status: StatusCode) -> Held {
        self.0.slot = Some(slot);
        self.0.begin(status)
    }

    /// The response is one of our own.
    pub(super) fn refused(mut self, reason: ErrorReason, status: StatusCode) -> Held {
        self.0.fail(reason);
        self.0.begin(status)
    }

    /// It is over without a response.
    pub(super) fn lost(mut self, reason: ErrorReason) {
        self.0.fail(reason);
    }
}

impl Held {
    /// The request is answered here and counted nowhere.
    pub(super) fn uncounted(exchange: Exchange) -> Self {
        Self {
            slot: None,
            in_flight: None,
            outcome: None,
            body: UploadSignals::default(),
            exchange,
        }
    }

    fn begin(mut self, status: StatusCode) -> Self {
        self.exchange.on_response();
        self.with_outcome(|outcome| outcome.answer(status));
        self
    }

    fn with_outcome(&mut self, tell: impl FnOnce(&mut Outcome)) {
        if let Some(outcome) = &mut self.outcome {
            tell(outcome);
        }
    }

    /// Whether the request's body is larger than it may be.
    pub(super) fn is_too_large(&self) -> bool {
        let flag = self.body.is_too_large.as_ref();
        flag.is_some_and(|flag| flag.get())
    }

    /// The response does not end as it should.
    pub(super) fn fail(&mut self, reason: ErrorReason) {
        self.with_outcome(|outcome| outcome.fail(reason));
    }

    /// All of the response is there.
    pub(super) fn complete(&mut self) {
        self.body.over = None;
        self.with_outcome(Outcome::complete);
    }

    /// The response is not to be finished: see [`Exchange::cut`].
    pub(super) fn cut(&self) {
        self.exchange.cut();
    }

    /// Ready when the client's connection breaks off: see [`Exchange::on_response_end`].
    pub(super) fn on_response_end(&self) -> impl Future<Output = ()> + use<> {
        self.exchange.on_response_end()
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
