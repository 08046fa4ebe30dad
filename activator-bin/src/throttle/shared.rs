//! What the handles, slots and waiters of one throttle share: the breaker behind its lock, and the ways to wake.
//!
//! Whatever is woken or dropped here is so outside of the lock: a waker may run anything.

use std::iter;
use std::sync::Arc;
use std::task::Waker;

use tokio::sync::Notify;

use super::breaker::{Breaker, Grant, Ticket};
use super::budget::{QueueBudget, QueuePermit};
use super::lock::Lock;

/// Waiters that are granted under one hold of the lock.
pub(super) const BATCH: usize = 64;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) breaker: Lock<Breaker<Waiter>>,
    pub(super) budget: Arc<QueueBudget>,
    /// HealthLog when a backend was set aside.
    pub(super) set_aside: Notify,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) waker: Waker,
    place: QueuePermit,
}

impl Waiter {
    pub(super) fn new(waker: Waker, place: QueuePermit) -> Self {
        Self { waker, place }
    }

    pub(super) fn wake(self) {
        // It waits no more, and whoever runs next may want its place.
        drop(self.place);
        self.waker.wake();
    }
}

impl Shared {
    /// Gives a slot back, to the next waiter if there is one.
    pub(super) fn release(&self, grant: Grant) {
        let next = {
            let mut breaker = self.breaker.lock();
            breaker.release(grant);
            breaker.grant_next(rand::random)
        };
        if let Some(waiter) = next {
            waiter.wake();
        }
    }

    /// Forgets a waiter. The slot that it may have been granted goes to the next one.
    pub(super) fn cancel(&self, ticket: Ticket) {
        let (cancelled, next) = {
            let mut breaker = self.breaker.lock();
            let cancelled = breaker.cancel(ticket);
            (cancelled, breaker.grant_next(rand::random))
        };
        drop(cancelled);
        if let Some(waiter) = next {
            waiter.wake();
        }
    }

    /// Makes a change that may have made room for any number of waiters.
    pub(super) fn change(&self, change: impl FnOnce(&mut Breaker<Waiter>)) {
        change(&mut self.breaker.lock());
        loop {
            let granted: Vec<Waiter> = {
                let mut breaker = self.breaker.lock();
                iter::from_fn(|| breaker.grant_next(rand::random))
                    .take(BATCH)
                    .collect()
            };
            if granted.is_empty() {
                return;
            }
            granted.into_iter().for_each(Waiter::wake);
        }
    }
}
