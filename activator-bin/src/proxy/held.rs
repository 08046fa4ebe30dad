//! What a request holds until it is over: its slot, its count, and what is known of its outcome.

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

    /// The answer is not to be finished: see [`Exchange::cut`].
    pub(super) fn cut(&self) {
        self.exchange.cut();
    }

    /// Ready when the client's connection breaks off: see [`Exchange::on_response_end`].
    pub(super) fn on_response_end(&self) -> impl Future<Output = ()> + use<> {
        self.exchange.on_response_end()
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
