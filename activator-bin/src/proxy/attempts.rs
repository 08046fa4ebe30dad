//! A request's attempts to get a response: on which backend, and what is done when one fails.

use std::sync::Arc;

use http::Request;

use super::capacity::Capacity;
use super::refusal::Refusal;
use super::rewrite;
use crate::message::request_body::RequestBody;
use crate::revision::ServedRevision;
use crate::throttle::{Complaint, Slot};
use crate::upstream::backend::{Backend, Health};
use crate::upstream::{Failed, UpstreamError};

/// How often a request is sent to backends that respond to others and close on it: they are well then,
/// and it may be what ends them.
const MOST_IN_VAIN: u32 = 3;

/// One request's attempts.
pub(super) struct Attempts<'a> {
    target: &'a ServedRevision,
    capacity: Capacity<'a>,
    slot: Slot,
    backend: Arc<Backend>,
    in_vain: u32,
}

/// What to do after an attempt that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    sets_aside: bool,
    /// If the request can be sent again.
    goes_on: bool,
}

impl<'a> Attempts<'a> {
    /// Waits for capacity.
    ///
    /// Dropping the future leaves the queue.
    pub(super) async fn new(
        target: &'a ServedRevision,
        capacity: Capacity<'a>,
    ) -> Result<Self, Refusal> {
        let slot = capacity.wait().await?;
        Ok(Self {
            backend: target.backends.at(slot.backend()),
            target,
            capacity,
            slot,
            in_vain: 0,
        })
    }

    /// Where the request goes now.
    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// The request got a response.
    pub(super) fn succeed(self) -> Slot {
        if let Some(failures) = self.backend.on_response() {
            let failures = Some(failures).filter(|&failures| failures > 0);
            tracing::info!(revision = %self.target.key, backend = %self.backend.endpoint.address, failures, "backend answers again");
        }
        self.slot
    }

    /// The request got none. It comes back when it is to be sent again, to what is the backend then; that is after
    /// a wait when the backend that failed was the only one.
    ///
    /// Dropping the future leaves the queue.
    pub(super) async fn fail(
        self,
        failed: Failed,
    ) -> Result<(Self, Box<Request<RequestBody>>), Refusal> {
        let Failed {
            error,
            again,
            complaint,
        } = failed;
        if let UpstreamError::RequestBody(source) = &error {
            tracing::debug!(revision = %self.target.key, %source, "request body failed");
            return Err(Refusal::new(error.reason(), error));
        }
        if let UpstreamError::OutOfDescriptors(_) | UpstreamError::Target = &error {
            // Which says nothing about the backend.
            return Err(Refusal::new(error.reason(), error));
        }
        let before = self.note_failure(&error);
        let Some(complaint) = complaint else {
            return Err(self.refusal(error));
        };
        let step = step(complaint, before, self.in_vain);
        let Some(mut request) = again.filter(|_| step.goes_on) else {
            if step.sets_aside {
                self.slot.set_aside(complaint);
            }
            return Err(self.refusal(error));
        };
        if !step.sets_aside {
            let in_vain = self.in_vain + 1;
            return Ok((Self { in_vain, ..self }, request));
        }
        let slot = self.capacity.wait_elsewhere(self.slot, complaint).await?;
        let backend = self.target.backends.at(slot.backend());
        rewrite::set_backend(&mut request, &backend);
        Ok((
            Self {
                slot,
                backend,
                ..self
            },
            request,
        ))
    }

    fn note_failure(&self, error: &UpstreamError) -> Health {
        let (before, line) = self.backend.on_failure();
        if let Some(failures) = line {
            let failures = Some(failures).filter(|&failures| failures > 1);
            tracing::warn!(revision = %self.target.key, failures, %error);
        }
        before
    }

    fn refusal(&self, error: UpstreamError) -> Refusal {
        Refusal::new(
            error.reason(),
            format_args!("revision {}: {error}", self.target.key),
        )
    }
}

/// What follows from `complaint` about a backend whose last request fared like `before`.
///
/// A backend that responds to others and closes on this request stays: or whoever sends what a backend
/// chokes on would have it taken away from all others.
fn step(complaint: Complaint, before: Health, in_vain: u32) -> Step {
    match (complaint, before) {
        (Complaint::Closed, Health::Responding) => Step {
            sets_aside: false,
            goes_on: in_vain + 1 < MOST_IN_VAIN,
        },
        _ => Step {
            sets_aside: true,
            goes_on: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_is_set_aside_unless_it_responds_to_others() {
        use Complaint::{Closed, Unreachable, Vanished};
        use Health::{Failing, Responding, Unknown};
        for (complaint, before, sets_aside) in [
            (Unreachable, Unknown, true),
            (Unreachable, Responding, true),
            (Vanished, Responding, true),
            (Closed, Unknown, true),
            (Closed, Failing, true),
            (Closed, Responding, false),
        ] {
            let step = step(complaint, before, 0);
            assert_eq!((step.sets_aside, step.goes_on), (sets_aside, true));
        }
    }

    #[test]
    fn a_request_that_backends_choke_on_is_given_up() {
        let goes_on = |in_vain| step(Complaint::Closed, Health::Responding, in_vain).goes_on;
        assert_eq!([0, 1, 2].map(goes_on), [true, true, false]);
        assert!(step(Complaint::Closed, Health::Failing, 2).goes_on);
    }
}
