//! The link to a receiver of stats: whether it is up, and the frames by outcome.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use crate::names;
use crate::registry::Registry;

/// The link to one peer. Clones share the same series.
#[derive(Clone)]
pub struct LinkMetrics {
    reachable: Gauge,
    errors: Counter,
    confirmed: Counter,
    requeued: Counter,
    pending_keys: Gauge,
    confirm: Histogram,
    first_report: Histogram,
}

impl LinkMetrics {
    pub(crate) fn new(registry: &Registry, peer: &str) -> Self {
        let frames = |outcome| registry.counter(&names::FRAMES, &[peer, outcome]);
        Self {
            reachable: registry.gauge(&names::LINK_REACHABLE, &[peer]),
            errors: registry.counter(&names::LINK_ERRORS, &[peer]),
            confirmed: frames("confirmed"),
            requeued: frames("requeued"),
            pending_keys: registry.gauge(&names::PENDING_KEYS, &[peer]),
            confirm: registry.histogram(&names::CONFIRM, &[peer]),
            first_report: registry.histogram(&names::FIRST_REPORT, &[]),
        }
    }

    /// The link came up.
    pub fn link_up(&self) {
        self.reachable.set(1.0);
    }

    /// An attempt to connect failed.
    pub fn connect_failed(&self) {
        self.errors.increment(1);
    }

    /// The link broke.
    pub fn link_down(&self) {
        self.reachable.set(0.0);
        self.errors.increment(1);
    }

    /// This side closed the link, which is not an error.
    pub fn link_closed(&self) {
        self.reachable.set(0.0);
    }

    /// A frame was confirmed, `after` it had been written.
    pub fn frame_confirmed(&self, after: Duration) {
        self.confirmed.increment(1);
        self.confirm.record(after);
    }

    /// Frames went back into the outbox.
    pub fn frames_requeued(&self, frames: usize) {
        self.requeued.increment(frames as u64);
    }

    /// Sets the number of keys that wait in the outbox.
    pub fn pending_keys(&self, keys: usize) {
        self.pending_keys.set(keys as f64);
    }

    /// The message of a first request was written to the socket, `after` the request came.
    pub fn first_report(&self, after: Duration) {
        self.first_report.record(after);
    }
}
