//! Requests that did not end as their backend meant, by reason.

use metrics::Counter;

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// Why a request did not end as its backend meant.
    pub enum ErrorReason {
        /// There is no such revision (404).
        RevisionUnknown = "revision_unknown",
        /// The request breaks the rules of HTTP (400).
        BadRequest = "bad_request",
        /// The request asks for what the activator does not do (501).
        NotSupported = "not_supported",
        /// The method is CONNECT (502).
        Connect = "connect",
        /// The client did not finish its request in time (408).
        ClientTimeout = "client_timeout",
        /// The body is larger than allowed (413).
        BodyTooLarge = "body_too_large",
        /// The header is larger than allowed (431).
        HeaderTooLarge = "header_too_large",
        /// The backend took no connection (502).
        BackendRefused = "backend_refused",
        /// The backend ended the connection in the middle (502, or an aborted response).
        BackendReset = "backend_reset",
        /// The backend did not take the connection in time (502).
        BackendTimeout = "backend_timeout",
        /// The backend's answer breaks the rules of HTTP (502).
        BackendBadResponse = "backend_bad_response",
        /// The activator had no descriptor left for a connection to the backend (503).
        OutOfDescriptors = "out_of_descriptors",
        /// A queue was full (503).
        QueueFull = "queue_full",
        /// The revision's `timeout` passed (504, or an aborted response).
        Timeout = "timeout",
        /// Its `response_start_timeout` passed (504).
        ResponseStartTimeout = "response_start_timeout",
        /// Its `idle_timeout` passed (504, or an aborted response).
        IdleTimeout = "idle_timeout",
        /// The client's HTTP/2 connection was ended because of what it sent too much of.
        ClientFlood = "client_flood",
        /// The client left before the end.
        ClientGone = "client_gone",
        /// The activator stopped before the end.
        Stopped = "stopped",
    }
}

/// Counts requests that did not end as their backend meant. A clone records into the same series.
#[derive(Clone)]
pub struct ErrorMetrics {
    errors: [Counter; ErrorReason::ALL.len()],
}

impl ErrorMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            errors: ErrorReason::ALL
                .map(|reason| registry.counter(&names::ERRORS, &[reason.as_str()])),
        }
    }

    /// A request ended for this reason.
    pub fn count(&self, reason: ErrorReason) {
        self.errors[reason as usize].increment(1);
    }
}
