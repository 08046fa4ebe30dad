//! Requests that failed, were refused or were cut short, by reason.

use metrics::Counter;

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// Why a request failed, was refused or was cut short.
    pub enum ErrorReason {
        /// The revision does not exist (404).
        RevisionUnknown = "revision_unknown",
        /// The revisions of the cluster were not listed in time (503).
        NotListed = "not_listed",
        /// The request violates HTTP (400).
        BadRequest = "bad_request",
        /// The request needs something that the activator does not support (501).
        NotSupported = "not_supported",
        /// The method is CONNECT (502).
        Connect = "connect",
        /// The client did not complete its request in time (408).
        ClientTimeout = "client_timeout",
        /// The body exceeds its limit (413).
        BodyTooLarge = "body_too_large",
        /// The head exceeds its limit (431).
        HeaderTooLarge = "header_too_large",
        /// The backend refused the connection (502).
        BackendRefused = "backend_refused",
        /// The backend closed the connection before the end (502, or an aborted response).
        BackendReset = "backend_reset",
        /// The backend did not accept the connection in time (502).
        BackendTimeout = "backend_timeout",
        /// The backend's response violates HTTP (502).
        BackendBadResponse = "backend_bad_response",
        /// The activator had no file descriptor for a connection to the backend (503).
        OutOfDescriptors = "out_of_descriptors",
        /// The instances of the revision failed to start (503).
        StartFailed = "start_failed",
        /// A queue was full (503).
        QueueFull = "queue_full",
        /// The revision's `timeout` passed (504, or an aborted response).
        Timeout = "timeout",
        /// Its `response_start_timeout` passed (504).
        ResponseStartTimeout = "response_start_timeout",
        /// Its `idle_timeout` passed (504, or an aborted response).
        IdleTimeout = "idle_timeout",
        /// The client's HTTP/2 connection was closed because of a flood.
        ClientFlood = "client_flood",
        /// The client disconnected before the end.
        ClientGone = "client_gone",
        /// The activator stopped before the end.
        Stopped = "stopped",
    }
}

/// Counts requests that failed, were refused or were cut short. Clones share the same series.
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

    /// A request failed, was refused or was cut short for this reason.
    pub fn count(&self, reason: ErrorReason) {
        self.errors[reason as usize].increment(1);
    }
}
