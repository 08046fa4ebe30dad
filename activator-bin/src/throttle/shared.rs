//! What the handles, slots and waiters of a throttle share: the breaker behind its lock, and how waiters are woken.
//!
//! Wakers are woken and dropped outside the lock, since they may run arbitrary code.

use std::iter;
use std::sync::Arc;
use std::task::Waker;

use tokio::sync::Notify;

use super::breaker::{Breaker, Grant, Ticket};
use super::budget::{QueueBudget, QueuePermit};
use super::lock::Lock;

/// How many waiters are granted, or backends changed, while the lock is held once.
pub(super) const BATCH: usize = 64;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) breaker: Lock<Breaker<Waiter>>,
    pub(super) budget: Arc<QueueBudget>,
    /// Notified when a backend is set aside.
    pub(super) set_aside: Notify,
    /// Notified when a state that somebody waits for is reached.
    pub(super) reached: Notify,
}

/// A waiting request.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) waker: Waker,
    permit: QueuePermit,
}

impl Waiter {
    pub(super) fn new(waker: Waker, permit: QueuePermit) -> Self {
        Self { waker, permit }
    }

    pub(super) fn wake(self) {
        // It no longer waits, and the task that runs next may need the permit.
        drop(self.permit);
        self.waker.wake();
    }
}

impl Shared {
    /// Gives a slot back, to the next waiter if there is one.
    pub(super) fn release(&self, grant: Grant) {
        let (next, is_reached) = {
            let mut breaker = self.breaker.lock();
            breaker.release(grant);
            (breaker.grant_next(rand::random), breaker.take_reached())
        };
        self.tell(is_reached);
        if let Some(waiter) = next {
            waiter.wake();
        }
    }

    /// Removes a waiter. If it was granted a slot, that goes to the next one.
    pub(super) fn cancel(&self, ticket: Ticket) {
        let (cancelled, next, is_reached) = {
            let mut breaker = self.breaker.lock();
            let cancelled = breaker.cancel(ticket);
            let next = breaker.grant_next(rand::random);
            (cancelled, next, breaker.take_reached())
        };
        drop(cancelled);
        self.tell(is_reached);
        if let Some(waiter) = next {
            waiter.wake();
        }
    }

    /// Makes a change that may free capacity for any number of waiters.
    pub(super) fn change(&self, change: impl FnOnce(&mut Breaker<Waiter>)) {
        let is_reached = {
            let mut breaker = self.breaker.lock();
            change(&mut breaker);
            breaker.take_reached()
        };
        self.tell(is_reached);
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
