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
    /// How a probe ended.
    pub enum ProbeOutcome {
        /// The backend passed.
        Passed = "passed",
        /// No connection came about.
        Refused = "refused",
        /// There was no answer in time.
        TimedOut = "timed_out",
        /// There was an answer, but not that of a ready backend.
        BadAnswer = "bad_answer",
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

    /// A backend changed its state; it comes from no state when it is new and goes to none when it is gone.
    pub fn moved(&self, from: Option<BackendState>, to: Option<BackendState>) {
        if let Some(from) = from {
            self.states[from as usize].decrement(1.0);
        }
        if let Some(to) = to {
            self.states[to as usize].increment(1.0);
        }
    }

    /// A probe ended.
    pub fn probed(&self, outcome: ProbeOutcome) {
        self.probes[outcome as usize].increment(1);
    }
}
