//! Backends by state, and probes by outcome.

use metrics::{Counter, Gauge};

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// The state of a backend.
    pub enum BackendState {
        /// New: it has not passed a probe yet.
        Probing = "probing",
        /// It gets requests.
        Ready = "ready",
        /// It failed, and gets no requests until a probe passes.
        SetAside = "set_aside",
        /// It is ready, and gets requests from other activators of the cluster.
        Unassigned = "unassigned",
        /// It gets requests through the private Service of its revision.
        BehindService = "behind_service",
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
        /// The activator was out of descriptors or the like, which is no fault of the backend.
        OutOfDescriptors = "out_of_descriptors",
    }
}

/// The backends and their probes. Clones share the same series.
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

    /// Sets the number of backends in a state.
    pub fn count(&self, state: BackendState, backends: usize) {
        self.states[state as usize].set(backends as f64);
    }

    /// A probe ended.
    pub fn probed(&self, outcome: ProbeOutcome) {
        self.probes[outcome as usize].increment(1);
    }
}
