//! The throttle of a revision: requests wait here, in order of arrival, for a free slot on a ready backend.
//!
//! The rules are in `breaker` and `backends`, which are pure; around them are one short lock and a future per waiter.
//! What must not live here: proxying, deciding which backends are ready (see the [prober](crate::probe)), metrics
//! libraries, configuration files.

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
mod watch;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

pub use self::budget::QueueBudget;
pub(crate) use self::budget::QueuePermit;
pub use self::complaint::Complaint;
pub(crate) use self::error::Standing;
pub use self::error::{Failure, QueueBound, ThrottleError};
pub use self::slot::Slot;

use self::acquire::Acquire;
use self::breaker::Breaker;
use self::lock::Lock;
use self::shared::{BATCH, Shared, Waiter};

/// The limits of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// The most concurrent requests per backend; 0 means no limit.
    pub container_concurrency: u32,
    /// The most requests that wait.
    pub queue_depth: usize,
}

/// Admits as many requests of a revision as its ready backends can take. Clones share the same throttle.
///
/// The capacity is `container_concurrency` times the number of ready backends. Further requests wait, in order of
/// arrival across all threads: a new request never overtakes, and no slot stays free while a request waits.
///
/// The backend is chosen as follows. Without a limit: the less loaded of two picked at random. With a limit of up to
/// 3: the first with a free slot, ordered by the text `ip:port`. With a higher limit: round robin.
#[derive(Clone)]
pub struct Throttle {
    shared: Arc<Shared>,
}

impl Throttle {
    /// A throttle without backends. Waiting requests count against `budget`.
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
                reached: Notify::new(),
            }),
        }
    }

    /// Takes a slot without waiting. `None` if there is none free, others wait, or the revision was removed.
    #[must_use]
    pub fn try_acquire(&self) -> Option<Slot> {
        let grant = self.shared.breaker.lock().try_acquire(rand::random)?;
        Some(Slot::new(&self.shared, grant))
    }

    /// Waits for a slot. Does not allocate if one is free and no request waits.
    ///
    /// The wait has no time limit; callers apply the request's timeouts.
    ///
    /// # Errors
    /// Immediately if the request would have to wait and the queue is full. Also if the revision is removed, or its
    /// instances fail to start, before or during the wait.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue. A slot already granted goes to the next waiter.
    pub async fn acquire(&self) -> Result<Slot, ThrottleError> {
        Acquire::arriving(&self.shared).await
    }

    /// As [`acquire`](Self::acquire), but waits only while a backend is ready: with none it fails at once, and it never
    /// counts as a request that waits for one.
    pub(crate) async fn acquire_while_ready(&self) -> Result<Slot, ThrottleError> {
        Acquire::arriving_while_ready(&self.shared).await
    }

    /// What a request for a ready backend meets now.
    pub(crate) fn standing(&self) -> Standing {
        self.shared.breaker.lock().standing(Instant::now)
    }

    /// Adds a ready backend to the capacity. Does nothing if it is already there.
    ///
    /// Requests to this address still in flight from before count against its limit.
    pub fn add_backend(&self, backend: SocketAddr) {
        self.shared
            .change(|breaker| breaker.add_backend(backend, None));
    }

    /// Removes a backend from the capacity. Its requests in flight continue.
    pub fn remove_backend(&self, backend: SocketAddr) {
        self.replace_backends(&[backend], &[]);
    }

    /// Removes backends, then adds others. Those in `added` may have a limit of their own, which replaces
    /// `container_concurrency` unless that is 0; of those already there only the limit changes.
    pub(crate) fn replace_backends(
        &self,
        removed: &[SocketAddr],
        added: &[(SocketAddr, Option<u32>)],
    ) {
        for removed in removed.chunks(BATCH) {
            let (dismissed, is_reached) = {
                let mut breaker = self.shared.breaker.lock();
                for &backend in removed {
                    breaker.remove_backend(backend);
                }
                (breaker.take_dismissed(), breaker.take_reached())
            };
            dismissed.into_iter().for_each(Waiter::wake);
            self.shared.tell(is_reached);
        }
        for added in added.chunks(BATCH) {
            self.shared.change(|breaker| {
                for &(backend, limit) in added {
                    breaker.add_backend(backend, limit);
                }
            });
        }
    }

    /// Changes the limits. Requests in flight above a lower limit continue, and waiting requests stay.
    pub fn set_limits(&self, limits: ThrottleLimits) {
        self.shared.change(|breaker| {
            breaker.set_container_concurrency(limits.container_concurrency);
            breaker.set_queue_depth(limits.queue_depth);
        });
    }

    /// The revision is removed: waiting and future requests fail at once.
    ///
    /// Slots already taken stay valid. If the revision comes back, it gets a new throttle.
    pub fn close(&self) {
        let (waiters, is_reached) = {
            let mut breaker = self.shared.breaker.lock();
            (breaker.close(), breaker.take_reached())
        };
        self.shared.tell(is_reached);
        waiters.for_each(Waiter::wake);
    }

    /// The instances of the revision failed to start: while none is ready, and until the time that is set, requests do
    /// not wait, and those that wait now fail at once. `None` ends that.
    pub fn set_failure(&self, failure: Option<Failure>) {
        let (waiters, is_reached) = {
            let mut breaker = self.shared.breaker.lock();
            let waiters = breaker.set_failure(failure.map(Arc::new));
            (waiters, breaker.take_reached())
        };
        self.shared.tell(is_reached);
        waiters.for_each(Waiter::wake);
    }

    /// Waits until backends are set aside, and takes them, with the reasons. For a single prober.
    ///
    /// Backends added or removed since are not included.
    ///
    /// # Cancel safety
    /// No backend is lost if the future is dropped.
    pub async fn set_aside(&self) -> Vec<(SocketAddr, Complaint)> {
        loop {
            let backends = self.shared.breaker.lock().take_set_aside();
            if !backends.is_empty() {
                return backends;
            }
            self.shared.set_aside.notified().await;
        }
    }

    /// The number of waiting requests.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.breaker.lock().queued()
    }

    /// The number of requests with a slot.
    #[must_use]
    pub fn active(&self) -> usize {
        self.shared.breaker.lock().active()
    }

    /// The number of backends in the capacity.
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
