//! Instances that are started on this machine: how many there are, and why they come and go.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use crate::label::label_values;
use crate::names;
use crate::registry::Registry;

label_values! {
    /// The state of an instance. `stopped` and `failed` stand for a revision that has none.
    pub enum InstanceState {
        /// There is none, and none is needed.
        Stopped = "stopped",
        /// It is not ready yet.
        Starting = "starting",
        /// It gets requests.
        Ready = "ready",
        /// Its processes are stopped by SIGSTOP.
        Frozen = "frozen",
        /// It gets no more requests, and has some that have not ended.
        Draining = "draining",
        /// It has been asked to end.
        Stopping = "stopping",
        /// There is none, since starting it has failed.
        Failed = "failed",
    }
}

label_values! {
    /// Why an instance is started, or woken when it is frozen.
    pub enum StartCause {
        /// A request came while there was none.
        FirstRequest = "first_request",
        /// The load needs more.
        Load = "load",
        /// `min_scale` needs more.
        MinScale = "min_scale",
        /// The schedule needs more.
        Schedule = "schedule",
        /// The admin port asked for it.
        Admin = "admin",
        /// The one before ended by itself.
        Crash = "crash",
        /// What is started has changed.
        Changed = "changed",
    }
}

label_values! {
    /// Why an instance is stopped, or frozen.
    pub enum StopCause {
        /// There was no request for a while.
        Idle = "idle",
        /// The load needs fewer.
        Load = "load",
        /// Another revision of its group needs its place.
        Evicted = "evicted",
        /// The admin port asked for it.
        Admin = "admin",
        /// It ended by itself.
        Crash = "crash",
        /// It was not ready in time, or could not be started.
        StartFailed = "start_failed",
        /// What is started has changed.
        Changed = "changed",
        /// Its revision was removed.
        Removed = "removed",
        /// The activator stops.
        Shutdown = "shutdown",
    }
}

/// The instances that are started here. Clones share the same series.
#[derive(Clone)]
pub struct InstanceMetrics {
    states: [Gauge; InstanceState::ALL.len()],
    wanted: Gauge,
    starts: [Counter; StartCause::ALL.len()],
    stops: [Counter; StopCause::ALL.len()],
    start: Histogram,
    restarts: Counter,
}

impl InstanceMetrics {
    pub(crate) fn new(registry: &Registry) -> Self {
        Self {
            states: InstanceState::ALL
                .map(|state| registry.gauge(&names::INSTANCES, &[state.as_str()])),
            wanted: registry.gauge(&names::INSTANCES_WANTED, &[]),
            starts: StartCause::ALL
                .map(|cause| registry.counter(&names::INSTANCE_STARTS, &[cause.as_str()])),
            stops: StopCause::ALL
                .map(|cause| registry.counter(&names::INSTANCE_STOPS, &[cause.as_str()])),
            start: registry.histogram(&names::INSTANCE_START, &[]),
            restarts: registry.counter(&names::INSTANCE_RESTARTS, &[]),
        }
    }

    /// Sets the number of instances in a state.
    pub fn count(&self, state: InstanceState, instances: usize) {
        self.states[state as usize].set(instances as f64);
    }

    /// Sets how many instances are wanted, of all revisions together.
    pub fn wanted(&self, instances: u64) {
        self.wanted.set(instances as f64);
    }

    /// An instance is started, or woken.
    pub fn started(&self, cause: StartCause) {
        self.starts[cause as usize].increment(1);
        if cause == StartCause::Crash {
            self.restarts.increment(1);
        }
    }

    /// An instance is being stopped or frozen, or has ended by itself.
    pub fn stopped(&self, cause: StopCause) {
        self.stops[cause as usize].increment(1);
    }

    /// An instance was ready this long after the first request that waited for it, or after its start if none did.
    pub fn ready(&self, after: Duration) {
        self.start.record(after);
    }
}
