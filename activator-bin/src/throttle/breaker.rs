//! The breaker of one revision, a pure state machine: who waits, who has a slot, who is next.
//!
//! What must not live here: locks, wakers, clocks, randomness (a draw is an argument), the limit over all revisions.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use self::watched::Kinds;
use super::backends::{Backends, Taken};
use super::complaint::Complaint;
use super::error::{Failure, Standing};

mod unready;
mod watched;

pub(super) use self::watched::State;

/// Decides who gets which backend, and when. `W` is what the driver needs to wake a waiter.
///
/// The one rule: a free slot goes to the waiter that arrived first. So a new request gets one only if nobody waits,
/// and after anything that may free capacity the driver calls [`grant_next`](Self::grant_next) until it returns
/// `None`. Each `W` is handed back and never dropped inside, so that the driver can wake and drop it outside its
/// lock.
#[derive(Debug)]
pub(super) struct Breaker<W> {
    backends: Backends,
    queue_depth: usize,
    tickets: u64,
    /// Ordered by arrival. A request that is retried keeps its ticket, and so its position.
    waiting: BTreeMap<Ticket, W>,
    /// Those of them that wait only while a backend is ready.
    only_while_ready: BTreeSet<Ticket>,
    /// Such waiters that have left the queue because no backend is ready, and do not know yet.
    dismissed: Vec<W>,
    /// Granted, but not yet collected by their waiters.
    granted: BTreeMap<Ticket, Taken>,
    /// Backends set aside and not yet taken by the prober, each at most once.
    set_aside: Vec<(SocketAddr, Complaint)>,
    failure: Option<Arc<Failure>>,
    /// Why waiters were refused, last.
    refused: Option<Arc<Failure>>,
    /// Which kinds of states are waited for.
    watched: Kinds,
    open: bool,
}

/// A request's position in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The right to send one request to one backend. Given back by [`Breaker::release`] or [`Breaker::retry`].
#[derive(Debug)]
#[must_use = "the slot is lost unless it is given back"]
pub(super) struct Grant {
    ticket: Ticket,
    taken: Taken,
}

/// The state of a waiter.
#[derive(Debug)]
pub(super) enum Turn<'a, W> {
    /// It was granted the slot, and now owns it.
    Granted(Grant),
    /// It still waits.
    Waiting(&'a mut W),
    /// It waits no longer.
    Refused(NotQueued),
}

/// Why a request may not wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotQueued {
    /// The queue depth is reached.
    QueueFull,
    /// The breaker was closed.
    Closed,
    /// No backend is ready or expected to be.
    Failed(Arc<Failure>),
    /// No backend is ready, and the request waits only while one is.
    NotReady,
}

impl Grant {
    pub(super) fn backend(&self) -> SocketAddr {
        self.taken.address
    }
}

impl<W> Breaker<W> {
    pub(super) fn new(container_concurrency: u32, queue_depth: usize) -> Self {
        Self {
            backends: Backends::new(container_concurrency),
            queue_depth,
            tickets: 0,
            waiting: BTreeMap::new(),
            only_while_ready: BTreeSet::new(),
            dismissed: Vec::new(),
            granted: BTreeMap::new(),
            set_aside: Vec::new(),
            failure: None,
            refused: None,
            watched: Kinds::default(),
            open: true,
        }
    }

    /// Takes a slot for a new request. `None` if it has to wait.
    pub(super) fn try_acquire(&mut self, draw: impl FnOnce() -> u64) -> Option<Grant> {
        if !self.open || !self.waiting.is_empty() {
            return None;
        }
        let taken = self.backends.take(draw)?;
        let ticket = self.ticket();
        Some(Grant { ticket, taken })
    }

    /// Whether a new request may wait. The time matters only while a failure lasts.
    pub(super) fn may_wait(&self, now: impl FnOnce() -> Instant) -> Result<(), NotQueued> {
        self.may_wait_again(now)?;
        if self.waiting.len() >= self.queue_depth {
            return Err(NotQueued::QueueFull);
        }
        Ok(())
    }

    /// Whether a request that was admitted before may wait.
    fn may_wait_again(&self, now: impl FnOnce() -> Instant) -> Result<(), NotQueued> {
        if !self.open {
            return Err(NotQueued::Closed);
        }
        match self.standing(now) {
            Standing::Failed(failure) => Err(NotQueued::Failed(failure)),
            Standing::Ready | Standing::NotReady => Ok(()),
        }
    }

    /// Appends a new request that [`may_wait`](Self::may_wait) to the queue.
    pub(super) fn enqueue(&mut self, waiter: W) -> Ticket {
        let ticket = self.ticket();
        self.waiting.insert(ticket, waiter);
        ticket
    }

    /// Grants a free slot, if any, to the first waiter, if any. Returns whom to wake.
    #[must_use = "the waiter does not know yet"]
    pub(super) fn grant_next(&mut self, draw: impl FnOnce() -> u64) -> Option<W> {
        let first = self.waiting.first_entry()?;
        let taken = self.backends.take(draw)?;
        let (ticket, waiter) = first.remove_entry();
        self.only_while_ready.remove(&ticket);
        self.granted.insert(ticket, taken);
        Some(waiter)
    }

    /// The state of the waiter with this ticket. A grant is returned once.
    pub(super) fn turn(&mut self, ticket: Ticket) -> Turn<'_, W> {
        if let Some(taken) = self.granted.remove(&ticket) {
            return Turn::Granted(Grant { ticket, taken });
        }
        if let Some(waiter) = self.waiting.get_mut(&ticket) {
            return Turn::Waiting(waiter);
        }
        Turn::Refused(match &self.refused {
            _ if !self.open => NotQueued::Closed,
            Some(failure) => NotQueued::Failed(Arc::clone(failure)),
            None => NotQueued::NotReady,
        })
    }

    /// Removes a waiter. If it was granted a slot that it did not collect, the slot is free again.
    #[must_use = "the waiter is dropped by the driver"]
    pub(super) fn cancel(&mut self, ticket: Ticket) -> Option<W> {
        if let Some(taken) = self.granted.remove(&ticket) {
            self.backends.release(taken);
        }
        self.only_while_ready.remove(&ticket);
        self.waiting.remove(&ticket)
    }

    /// Takes a slot back. At most one waiter can be granted after this.
    pub(super) fn release(&mut self, grant: Grant) {
        self.backends.release(grant.taken);
    }

    /// Sets the backend of a slot aside. False if it is not ready, or became ready again since the slot was granted.
    pub(super) fn set_aside(&mut self, grant: &Grant, complaint: Complaint) -> bool {
        let Grant { taken, .. } = grant;
        let is_aside = self.backends.is_still_ready(taken) && self.backends.remove(taken.address);
        if is_aside {
            self.set_aside.push((taken.address, complaint));
            self.dismiss();
        }
        is_aside
    }

    /// Takes back a slot whose backend failed the request, which waits for another one in its original position.
    ///
    /// The queue depth does not apply: the request was already admitted. If it may not wait, its waiter is returned.
    pub(super) fn retry(
        &mut self,
        grant: Grant,
        waiter: W,
        now: impl FnOnce() -> Instant,
    ) -> Result<Ticket, (W, NotQueued)> {
        let Grant { ticket, taken } = grant;
        self.backends.release(taken);
        if let Err(why) = self.may_wait_again(now) {
            return Err((waiter, why));
        }
        self.waiting.insert(ticket, waiter);
        Ok(ticket)
    }

    /// Adds a ready backend to the capacity, with a limit of its own if there is one. Of one that is already there only
    /// the limit changes.
    pub(super) fn add_backend(&mut self, address: SocketAddr, limit: Option<u32>) {
        self.backends.add(address, limit);
        self.set_aside.retain(|&(aside, _)| aside != address);
    }

    /// Removes a backend from the capacity. Its requests continue.
    pub(super) fn remove_backend(&mut self, address: SocketAddr) {
        self.backends.remove(address);
        self.set_aside.retain(|&(aside, _)| aside != address);
        self.dismiss();
    }

    /// The backends set aside since the last call, without those added or removed since.
    pub(super) fn take_set_aside(&mut self) -> Vec<(SocketAddr, Complaint)> {
        std::mem::take(&mut self.set_aside)
    }

    pub(super) fn set_container_concurrency(&mut self, container_concurrency: u32) {
        self.backends
            .set_container_concurrency(container_concurrency);
    }

    /// Changes how many may wait. Those already waiting stay.
    pub(super) fn set_queue_depth(&mut self, queue_depth: usize) {
        self.queue_depth = queue_depth;
    }

    /// Admits nobody from now on, and returns the waiters. Slots stay taken until they are given back.
    #[must_use = "the waiters do not know yet"]
    pub(super) fn close(&mut self) -> impl Iterator<Item = W> + use<W> {
        self.open = false;
        self.only_while_ready.clear();
        std::mem::take(&mut self.waiting).into_values()
    }

    pub(super) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// The number of taken slots, including uncollected ones.
    pub(super) fn active(&self) -> usize {
        self.backends.in_flight()
    }

    pub(super) fn ready_backends(&self) -> usize {
        self.backends.ready()
    }

    fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket(self.tickets)
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
