//! One revision's breaker as a pure machine: who waits, who has a slot, whose turn it is.
//!
//! What must not live here: locks, wakers, clocks, randomness (a draw is an argument), the bound over all revisions.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::backends::{Backends, Taken};
use super::complaint::Complaint;

/// Decides who gets which backend and when. `W` is what the driver needs to wake a waiter.
///
/// The one rule: a free slot goes to the waiter that arrived first. So a newcomer gets one only when
/// nobody waits, and the driver calls [`grant_next`](Self::grant_next) until it answers none after
/// anything that may have made room. What drops out of here (`W`) is handed back, never dropped
/// inside, so that a driver with a lock around this can wake and drop outside of it.
#[derive(Debug)]
pub(super) struct Breaker<W> {
    backends: Backends,
    queue_depth: usize,
    tickets: u64,
    /// By order of arrival. A request that comes back from its backend has its old ticket, and so its old place.
    waiting: BTreeMap<Ticket, W>,
    /// Granted, and not collected by their waiters so far.
    granted: BTreeMap<Ticket, Taken>,
    /// Backends that were set aside and that nobody took note of so far; each is there once at most.
    set_aside: Vec<(SocketAddr, Complaint)>,
    open: bool,
}

/// A request's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// The right to send one request to one backend. It is given back by [`Breaker::release`] or [`Breaker::retry`].
#[derive(Debug)]
#[must_use = "the slot is lost unless it is given back"]
pub(super) struct Grant {
    ticket: Ticket,
    taken: Taken,
}

/// What has become of a waiter.
#[derive(Debug)]
pub(super) enum Turn<'a, W> {
    /// It was its turn, and the slot is its own from now on.
    Granted(Grant),
    /// It still waits.
    Waiting(&'a mut W),
    /// The breaker was closed.
    Closed,
}

/// Why a request may not wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotQueued {
    /// As many wait as may.
    QueueFull,
    /// The breaker was closed.
    Closed,
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
            granted: BTreeMap::new(),
            set_aside: Vec::new(),
            open: true,
        }
    }

    /// A slot for a newcomer; none when it has to wait.
    pub(super) fn try_acquire(&mut self, draw: impl FnOnce() -> u64) -> Option<Grant> {
        if !self.open || !self.waiting.is_empty() {
            return None;
        }
        let taken = self.backends.take(draw)?;
        let ticket = self.ticket();
        Some(Grant { ticket, taken })
    }

    /// Whether a newcomer may wait.
    pub(super) fn may_wait(&self) -> Result<(), NotQueued> {
        match self.waiting.len() < self.queue_depth {
            _ if !self.open => Err(NotQueued::Closed),
            false => Err(NotQueued::QueueFull),
            true => Ok(()),
        }
    }

    /// Puts a newcomer that [`may_wait`](Self::may_wait) behind all others.
    pub(super) fn enqueue(&mut self, waiter: W) -> Ticket {
        let ticket = self.ticket();
        self.waiting.insert(ticket, waiter);
        ticket
    }

    /// Gives the slot to the waiter whose turn it is, if there are both, and answers whom to wake.
    #[must_use = "the waiter does not know yet"]
    pub(super) fn grant_next(&mut self, draw: impl FnOnce() -> u64) -> Option<W> {
        let first = self.waiting.first_entry()?;
        let taken = self.backends.take(draw)?;
        let (ticket, waiter) = first.remove_entry();
        self.granted.insert(ticket, taken);
        Some(waiter)
    }

    /// What has become of the waiter with this ticket. A grant is answered once.
    pub(super) fn turn(&mut self, ticket: Ticket) -> Turn<'_, W> {
        if let Some(taken) = self.granted.remove(&ticket) {
            return Turn::Granted(Grant { ticket, taken });
        }
        match self.waiting.get_mut(&ticket) {
            Some(waiter) => Turn::Waiting(waiter),
            None => Turn::Closed,
        }
    }

    /// Takes a waiter out of the queue. A slot that it had been granted and did not collect is free again.
    #[must_use = "the waiter is dropped by the driver"]
    pub(super) fn cancel(&mut self, ticket: Ticket) -> Option<W> {
        if let Some(taken) = self.granted.remove(&ticket) {
            self.backends.release(taken);
        }
        self.waiting.remove(&ticket)
    }

    /// Takes a slot back. At most one waiter can be granted after that.
    pub(super) fn release(&mut self, grant: Grant) {
        self.backends.release(grant.taken);
    }

    /// Sets the backend of a slot aside; false when it is not ready, or has become ready anew since the slot was granted.
    pub(super) fn set_aside(&mut self, grant: &Grant, complaint: Complaint) -> bool {
        let Grant { taken, .. } = grant;
        let is_aside = self.backends.is_still_ready(taken) && self.backends.remove(taken.address);
        if is_aside {
            self.set_aside.push((taken.address, complaint));
        }
        is_aside
    }

    /// Takes a slot back of no use to its request, which waits in its old place for another one.
    ///
    /// The queue's depth does not count here: the request was admitted before. A closed breaker answers the waiter.
    pub(super) fn retry(&mut self, grant: Grant, waiter: W) -> Result<Ticket, W> {
        let Grant { ticket, taken } = grant;
        self.backends.release(taken);
        if !self.open {
            return Err(waiter);
        }
        self.waiting.insert(ticket, waiter);
        Ok(ticket)
    }

    /// Makes a backend part of the capacity. No change when it is already.
    pub(super) fn add_backend(&mut self, address: SocketAddr) {
        self.backends.add(address);
        self.set_aside.retain(|&(aside, _)| aside != address);
    }

    /// Takes a backend out of the capacity. Requests on it end in their own time.
    pub(super) fn remove_backend(&mut self, address: SocketAddr) {
        self.backends.remove(address);
        self.set_aside.retain(|&(aside, _)| aside != address);
    }

    /// The backends that were set aside since the last call and neither added nor removed after that.
    pub(super) fn take_set_aside(&mut self) -> Vec<(SocketAddr, Complaint)> {
        std::mem::take(&mut self.set_aside)
    }

    pub(super) fn set_container_concurrency(&mut self, container_concurrency: u32) {
        self.backends
            .set_container_concurrency(container_concurrency);
    }

    /// Changes how many may wait. Those who wait already stay.
    pub(super) fn set_queue_depth(&mut self, queue_depth: usize) {
        self.queue_depth = queue_depth;
    }

    /// Lets nobody in any more and answers the waiters. Slots that are taken stay so until they are given back.
    #[must_use = "the waiters do not know yet"]
    pub(super) fn close(&mut self) -> impl Iterator<Item = W> + use<W> {
        self.open = false;
        std::mem::take(&mut self.waiting).into_values()
    }

    pub(super) fn queued(&self) -> usize {
        self.waiting.len()
    }

    /// Slots that are taken, those not collected yet included.
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
