//! What a request holds until it is over: its slot, its count, and its outcome so far.
//!
//! It is [`Accepted`] until the response begins, then [`Held`] by the response body. Dropping either, at any time,
//! releases everything.

use std::cell::Cell;
use std::rc::Rc;

use http::StatusCode;
use reporter_metrics::ErrorReason;
use reporter_runtime::InFlight;
use tokio::sync::oneshot;

use super::outcome::Outcome;
use crate::access_log::Logged;
use crate::client::Exchange;
use crate::message::request_body::ResponseOver;
use crate::revision::ServedRevision;
use crate::throttle::Slot;
use crate::traces::RequestTrace;

/// What a request holds before its response begins.
pub(super) struct Accepted(Held);

/// What a request holds once its response has begun.
pub(crate) struct Held {
    /// `None` if the response is our own.
    slot: Option<Slot>,
    /// `None` if the request belongs to no revision, or does not count.
    in_flight: Option<InFlight>,
    /// `None` if the outcome is not recorded.
    outcome: Option<Outcome>,
    body: UploadSignals,
    exchange: Exchange,
}

/// Signals between a response and the body of its request.
#[derive(Default)]
pub(super) struct UploadSignals {
    /// Dropped when the response is complete. Used by a body that the backend did not ask for.
    pub(super) over: Option<oneshot::Sender<ResponseOver>>,
    /// Set by a body that exceeds the limit.
    pub(super) is_too_large: Option<Rc<Cell<bool>>>,
}

impl Accepted {
    pub(super) fn new(exchange: Exchange, outcome: Outcome) -> Self {
        let mut held = Held::uncounted(exchange);
        held.outcome = Some(outcome);
        Self(held)
    }

    /// The request is for a revision.
    pub(super) fn belong_to(mut self, revision: &ServedRevision) -> Self {
        self.0.with_outcome(|outcome| outcome.belong_to(revision));
        self
    }

    /// The line that is written at the end of the request.
    pub(super) fn logged(&self) -> Option<&Logged> {
        self.0.outcome.as_ref()?.logged()
    }

    /// The request is served, and in flight unless it counts for nothing.
    pub(super) fn counted(mut self, in_flight: Option<InFlight>, body: UploadSignals) -> Self {
        self.0.in_flight = in_flight;
        self.0.body = body;
        self
    }

    /// The trace of the request, if it is traced.
    pub(super) fn trace(&self) -> Option<&RequestTrace> {
        self.0.outcome.as_ref()?.trace()
    }

    /// Whether the request body exceeds the limit.
    pub(super) fn is_too_large(&self) -> bool {
        self.0.is_too_large()
    }

    /// The backend of `slot` has responded.
    pub(super) fn responded(mut self, slot: Slot, status: StatusCode) -> Held {
        self.0.slot = Some(slot);
        self.0.begin(status)
    }

    /// The response is our own.
    pub(super) fn refused(mut self, reason: Option<ErrorReason>, status: StatusCode) -> Held {
        if let Some(reason) = reason {
            self.0.fail(reason);
        }
        self.0.begin(status)
    }

    /// The request ended without a response.
    pub(super) fn lost(mut self, reason: ErrorReason) {
        self.0.fail(reason);
    }
}

impl Held {
    /// For a request that is answered here and counted nowhere.
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
        self.with_outcome(|outcome| outcome.set_status(status));
        self
    }

    fn with_outcome(&mut self, tell: impl FnOnce(&mut Outcome)) {
        if let Some(outcome) = &mut self.outcome {
            tell(outcome);
        }
    }

    /// Whether the request body exceeds the limit.
    pub(super) fn is_too_large(&self) -> bool {
        let flag = self.body.is_too_large.as_ref();
        flag.is_some_and(|flag| flag.get())
    }

    /// More of the response's body was sent.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.with_outcome(|outcome| outcome.sent(bytes));
    }

    /// The response ends early or in error.
    pub(super) fn fail(&mut self, reason: ErrorReason) {
        self.with_outcome(|outcome| outcome.fail(reason));
    }

    /// The whole response is available.
    pub(super) fn complete(&mut self) {
        self.body.over = None;
        self.with_outcome(Outcome::complete);
    }

    /// Cuts the response short: see [`Exchange::cut`].
    pub(super) fn cut(&self) {
        self.exchange.cut();
    }

    /// Ready when the client connection breaks: see [`Exchange::on_response_end`].
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
