//! Backends: in which state they are, and how their probes end.

use metrics::{Counter, Gauge};

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// What is known of a backend.
    pub enum BackendState {
        /// It is new and has not passed a probe yet.
        Probing = "probing",
        /// It gets requests.
        Ready = "ready",
        /// It got requests and then failed; it is probed again.
        SetAside = "set_aside",
    }
}

label_values! {
    /// How a probe of a backend ended.
    pub enum ProbeOutcome {
        /// The backend is ready.
        Ok = "ok",
        /// There was no connection, or it ended too soon or before a response.
        Refused = "refused",
        /// It took too long.
        Timeout = "timeout",
        /// The response's status was not 200.
        Status = "status",
        /// The response's body was not `queue`.
        Body = "body",
        /// The activator was out of descriptors or the like: says nothing of the backend.
        OutOfDescriptors = "out_of_descriptors",
    }
}

/// What becomes of the backends. A clone records into the same series.
#[derive(Clone)]
pub struct BackendMetrics {
    states: [Gauge; BackendState::ALL.len()],
    probes: [Counter; ProbeOutcome::ALL.len()],
}

impl BackendMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            states: BackendState::ALL
                .map(|state| registry.gauge(&names::BACKENDS, &[state.as_str()])),
            probes: ProbeOutcome::ALL
                .map(|outcome| registry.counter(&names::BACKEND_PROBES, &[outcome.as_str()])),
        }
    }

    /// So many backends are in that state now.
    pub fn count(&self, state: BackendState, backends: usize) {
        self.states[state as usize].set(backends as f64);
    }

    /// A probe ended.
    pub fn probed(&self, outcome: ProbeOutcome) {
        self.probes[outcome as usize].increment(1);
    }
}
