//! The attempts to get a response to one request: which backend is tried, and what follows a failure.

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

/// How many attempts a request gets on backends that respond to other requests but close the connection on this one:
/// the request itself may be the cause.
const MOST_CLOSED: u32 = 3;

/// The attempts of one request.
pub(super) struct Attempts<'a> {
    target: &'a ServedRevision,
    capacity: Capacity<'a>,
    slot: Slot,
    backend: Arc<Backend>,
    /// Whether backends get the host that the client has named.
    pub(super) keeps_host: bool,
    closed: u32,
}

/// What to do after a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    sets_aside: bool,
    /// Whether the request can be sent again.
    retries: bool,
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
            backend: capacity.backend(&slot),
            keeps_host: target.keeps_host(),
            target,
            capacity,
            slot,
            closed: 0,
        })
    }

    /// The backend of the current attempt.
    pub(super) fn backend(&self) -> &Arc<Backend> {
        &self.backend
    }

    /// The request got a response.
    pub(super) fn succeed(self) -> Slot {
        if let Some(failures) = self.backend.on_response() {
            let failures = Some(failures).filter(|&failures| failures > 0);
            tracing::info!(revision = %self.target.key, backend = %self.backend.endpoint.place, failures, "backend responds again");
        }
        self.slot
    }

    /// The request got no response. Returns it if it is to be sent again, to the backend that is then current; this
    /// waits if the failed backend was the only one.
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
            // This says nothing about the backend.
            return Err(Refusal::new(error.reason(), error));
        }
        let before = self.note_failure(&error);
        let Some(complaint) = complaint else {
            return Err(self.refusal(error));
        };
        let step = step(complaint, before, self.closed);
        let Some(mut request) = again.filter(|_| step.retries) else {
            if step.sets_aside {
                self.slot.set_aside(complaint);
            }
            return Err(self.refusal(error));
        };
        if !step.sets_aside {
            let closed = self.closed + 1;
            return Ok((Self { closed, ..self }, request));
        }
        let slot = self.capacity.wait_elsewhere(self.slot, complaint).await?;
        let backend = self.capacity.backend(&slot);
        rewrite::set_backend(&mut request, &backend, self.keeps_host);
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

/// Decides what follows from `complaint` about a backend whose previous request fared like `before`.
///
/// A backend that responds to other requests but closes the connection on this one is not set aside: otherwise a
/// client could take backends away from everyone with a request that breaks them.
fn step(complaint: Complaint, before: Health, closed: u32) -> Step {
    match (complaint, before) {
        (Complaint::Closed, Health::Responding) => Step {
            sets_aside: false,
            retries: closed + 1 < MOST_CLOSED,
        },
        _ => Step {
            sets_aside: true,
            retries: true,
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
            assert_eq!((step.sets_aside, step.retries), (sets_aside, true));
        }
    }

    #[test]
    fn a_request_that_breaks_backends_is_given_up() {
        let retries = |closed| step(Complaint::Closed, Health::Responding, closed).retries;
        assert_eq!([0, 1, 2].map(retries), [true, true, false]);
        assert!(step(Complaint::Closed, Health::Failing, 2).retries);
    }
}
