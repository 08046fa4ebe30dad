//! The port through which a link says how it does. Metrics libraries stay on the other side of it.

use std::time::Duration;

use super::LinkFailure;

/// Hears of one link's life, as it happens. Called from the sink's task; must not block.
pub trait LinkObserver: Send + Sync + 'static {
    /// The peer has answered its first ping on a new link.
    fn link_up(&self);
    /// A link that was up broke.
    fn link_down(&self, why: &LinkFailure);
    /// A link that was up was closed in good order, at the end.
    fn link_closed(&self);
    /// A link could not be made, or broke before it was up.
    fn connect_failed(&self, why: &LinkFailure);
    /// The peer has taken a frame in, that long after it was sent. Numbers rise with each frame that is cut.
    fn frame_confirmed(&self, sequence: u64, latency: Duration);
    /// That many frames were sent and not confirmed when a link broke; what they held waits again.
    fn frames_requeued(&self, frames: usize);
    /// That many keys wait in the outbox now.
    fn pending_keys(&self, keys: usize);
    /// The message of a first request is on the socket, that long after the request came.
    fn first_report(&self, latency: Duration);
}

/// Nobody listens.
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
