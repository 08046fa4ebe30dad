//! The port for the events of a link. Metrics libraries stay on the other side of it.

use std::time::Duration;

use super::LinkFailure;

/// Receives the events of one link. Called from the sink's task; must not block.
pub trait LinkObserver: Send + Sync + 'static {
    /// The first pong on a new link came.
    fn link_up(&self);
    /// A link that was up broke.
    fn link_down(&self, why: &LinkFailure);
    /// A link that was up was closed by this side, at the end.
    fn link_closed(&self);
    /// A link could not be made, or broke before it was up.
    fn connect_failed(&self, why: &LinkFailure);
    /// The peer has processed a frame, `latency` after it was sent. Numbers rise with each frame.
    fn frame_confirmed(&self, sequence: u64, latency: Duration);
    /// A link broke with this many unconfirmed frames; their messages wait again.
    fn frames_requeued(&self, frames: usize);
    /// The number of keys that wait in the outbox changed.
    fn pending_keys(&self, keys: usize);
    /// The message of a first request was written to the socket, `latency` after the request came.
    fn first_report(&self, latency: Duration);
}

/// Ignores all events.
impl LinkObserver for () {
    fn link_up(&self) {}
    fn link_down(&self, _: &LinkFailure) {}
    fn link_closed(&self) {}
    fn connect_failed(&self, _: &LinkFailure) {}
    fn frame_confirmed(&self, _: u64, _: Duration) {}
    fn frames_requeued(&self, _: usize) {}
    fn pending_keys(&self, _: usize) {}
    fn first_report(&self, _: Duration) {}
}
