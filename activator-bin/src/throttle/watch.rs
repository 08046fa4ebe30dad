//! What the launcher of a revision's instances waits for: states of the breaker, decided under its lock.
//!
//! A state that nobody waits for costs one look at a flag, when a slot is given back.

use std::net::SocketAddr;
use std::pin::pin;

use super::Throttle;
use super::breaker::State;
use super::shared::Shared;

impl Throttle {
    /// Waits until a backend is ready. Immediate if one is. For a request that takes no place in the queue meanwhile.
    ///
    /// # Cancel safety
    /// Nothing is lost if the future is dropped. This holds for the others too.
    pub(crate) async fn ready(&self) {
        self.shared.until(State::Ready).await;
    }

    /// Waits until a request waits and no backend is ready. Immediate if that is so.
    pub async fn starving(&self) {
        self.shared.until(State::Starving).await;
    }

    /// Waits until no request waits and no slot is taken. Immediate if that is so.
    pub async fn idle(&self) {
        self.shared.until(State::Idle).await;
    }

    /// Waits until a backend is not among the ready ones and none of its slots is taken. Immediate if that is so.
    pub async fn vacated(&self, backend: SocketAddr) {
        self.shared.until(State::Vacated(backend)).await;
    }
}

impl Shared {
    async fn until(&self, state: State) {
        loop {
            let mut reached = pin!(self.reached.notified());
            // From here on nothing is missed.
            reached.as_mut().enable();
            if self.breaker.lock().watch(state) {
                return;
            }
            reached.await;
        }
    }

    /// Wakes those who wait for a state, if one that they wait for is reached.
    pub(super) fn tell(&self, is_reached: bool) {
        if is_reached {
            self.reached.notify_waiters();
        }
    }
}
