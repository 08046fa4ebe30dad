//! The throttle of a revision: requests wait here for a free slot of a ready backend, in order of arrival.
//!
//! The rules are in `breaker` and `backends`, which are pure; around them is one short lock and a
//! future per waiter. What must not live here: proxying, finding out which backend is ready (that is
//! the [prober](crate::probe)'s), metrics libraries, configuration files.

mod acquire;
mod backends;
mod breaker;
mod budget;
mod complaint;
mod error;
mod lock;
#[cfg(test)]
mod races;
mod shared;
mod slot;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::Notify;

pub use self::budget::QueueBudget;
pub use self::complaint::Complaint;
pub use self::error::{QueueBound, ThrottleError};
pub use self::slot::Slot;

use self::acquire::Acquire;
use self::breaker::Breaker;
use self::lock::Lock;
use self::shared::{Shared, Waiter};

/// What a revision allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// The most requests that a backend gets at once; 0 is no limit.
    pub container_concurrency: u32,
    /// The most requests that wait.
    pub queue_depth: usize,
}

/// Lets as many requests of one revision through as its ready backends take. A clone is the same throttle.
///
/// The capacity is `container_concurrency` times the ready backends. Beyond it requests wait, over
/// all threads in order of arrival: a newcomer never overtakes, and a free slot never stays so while
/// a request waits.
///
/// Which backend it is: without a limit the less loaded of two drawn at random, with a limit of up to
/// 3 the first with a free slot in the order of their text `ip:port`, above that they take turns.
#[derive(Clone)]
pub struct Throttle {
    shared: Arc<Shared>,
}

impl Throttle {
    /// A throttle without backends. Those who wait take up room in `budget`.
    #[must_use]
    pub fn new(limits: ThrottleLimits, budget: Arc<QueueBudget>) -> Self {
        let ThrottleLimits {
            container_concurrency,
            queue_depth,
        } = limits;
        Self {
            shared: Arc::new(Shared {
                breaker: Lock::new(Breaker::new(container_concurrency, queue_depth)),
                budget,
                set_aside: Notify::new(),
            }),
        }
    }

    /// A slot without a wait; none when all are taken, others wait, or the revision was removed.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Slot> {
        let grant = self.shared.breaker.lock().try_acquire(rand::random)?;
        Some(Slot::new(&self.shared, grant))
    }

    /// Waits for a slot. It costs no allocation when one is free and nobody waits.
    ///
    /// The wait has no bound of its own: a request's time-out is its caller's.
    ///
    /// # Errors
    /// At once when the request would have to wait and the queue is full, and when the revision is
    /// removed, before or during the wait.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue; a slot that was granted by then goes to the next waiter.
    pub async fn acquire(&self) -> Result<Slot, ThrottleError> {
        Acquire::arriving(&self.shared).await
    }

    /// Makes a backend part of the capacity; no change when it is already.
    ///
    /// Requests that are still in flight on this address from an earlier time count against its limit.
    pub fn add_backend(&self, backend: SocketAddr) {
        self.shared.change(|breaker| breaker.add_backend(backend));
    }

    /// Takes a backend out of the capacity; its requests in flight end in their own time.
    pub fn remove_backend(&self, backend: SocketAddr) {
        self.shared.breaker.lock().remove_backend(backend);
    }

    /// Changes the limits. Requests in flight above a lower limit end in their own time, and those who wait stay.
    pub fn set_limits(&self, limits: ThrottleLimits) {
        self.shared.change(|breaker| {
            breaker.set_container_concurrency(limits.container_concurrency);
            breaker.set_queue_depth(limits.queue_depth);
        });
    }

    /// The revision is removed: those who wait are answered at once, as is everybody who comes later.
    ///
    /// Slots that are taken stay good. A revision of the same name that comes back has a new throttle.
    pub fn close(&self) {
        let waiters = self.shared.breaker.lock().close();
        waiters.for_each(Waiter::wake);
    }

    /// Waits until backends were set aside, and takes note of them and of why. For one prober.
    ///
    /// A backend that was added or removed since is not among them.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn set_aside(&self) -> Vec<(SocketAddr, Complaint)> {
        loop {
            let backends = self.shared.breaker.lock().take_set_aside();
            if !backends.is_empty() {
                return backends;
            }
            self.shared.set_aside.notified().await;
        }
    }

    /// Requests that wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.breaker.lock().queued()
    }

    /// Requests that have a slot.
    #[must_use]
    pub fn active(&self) -> usize {
        self.shared.breaker.lock().active()
    }

    /// Backends that make up the capacity.
    #[must_use]
    pub fn ready_backends(&self) -> usize {
        self.shared.breaker.lock().ready_backends()
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Throttle")
            .field("queued", &self.queued())
            .field("active", &self.active())
            .field("ready_backends", &self.ready_backends())
            .finish()
    }
}
