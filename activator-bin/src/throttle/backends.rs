//! A revision's backends as the breaker sees them: which are ready, how loaded each is, and which is next.
//!
//! What must not live here: waiting requests (see the breaker), and how readiness is determined (see the prober).

mod vacancies;

use std::net::SocketAddr;

use slab::Slab;

use self::vacancies::Vacancies;

/// Up to this limit per backend, the first one with a free slot is chosen; above it, round robin.
const FIRST_FREE_UP_TO: u32 = 3;

#[derive(Debug)]
pub(super) struct Backends {
    /// 0 means no limit.
    container_concurrency: u32,
    /// The ready backends, and removed ones that still have requests in flight.
    known: Slab<Backend>,
    /// Indices of the backends that may be chosen, ordered by the text `ip:port`. A rank is a position in here.
    ready: Vec<usize>,
    vacancies: Vacancies,
    /// The rank at which the next round starts: one after the last choice.
    next: usize,
    in_flight: usize,
    /// Whether a backend was forgotten: it is not ready, and its last slot was given back.
    has_forgotten: bool,
}

#[derive(Debug)]
struct Backend {
    address: SocketAddr,
    in_flight: usize,
    /// Its own limit, instead of `container_concurrency`.
    limit: Option<u32>,
    /// Its rank if it is ready.
    rank: Option<usize>,
    /// How many times it became ready. Complaints from an earlier epoch are ignored.
    epoch: u32,
}

/// One slot of one backend, to be given back exactly once.
#[derive(Debug)]
#[must_use = "the slot is lost unless it is given back"]
pub(super) struct Taken {
    /// Refers to the same backend as long as any of its slots is taken.
    index: usize,
    epoch: u32,
    pub(super) address: SocketAddr,
}

impl Backends {
    pub(super) fn new(container_concurrency: u32) -> Self {
        Self {
            container_concurrency,
            known: Slab::new(),
            ready: Vec::new(),
            vacancies: Vacancies::default(),
            next: 0,
            in_flight: 0,
            has_forgotten: false,
        }
    }

    /// Takes a slot on the backend whose turn it is. `None` if all are full.
    pub(super) fn take(&mut self, draw: impl FnOnce() -> u64) -> Option<Taken> {
        let rank = match self.container_concurrency {
            0 => self.least_loaded_of_two(draw),
            1..=FIRST_FREE_UP_TO => self.vacancies.first_from(0),
            _ => {
                let upwards = self.vacancies.first_from(self.next);
                upwards.or_else(|| self.vacancies.first_from(0))
            }
        }?;
        self.next = rank + 1;
        let index = self.ready[rank];
        let backend = &mut self.known[index];
        backend.in_flight += 1;
        self.in_flight += 1;
        if !has_room(self.container_concurrency, backend) {
            self.vacancies.set(rank, false);
        }
        Some(Taken {
            index,
            epoch: backend.epoch,
            address: backend.address,
        })
    }

    /// The less loaded of two random ones. Ties go to the first one drawn, so they are as random as the draw.
    fn least_loaded_of_two(&self, draw: impl FnOnce() -> u64) -> Option<usize> {
        let count = self.ready.len();
        if count < 2 {
            return count.checked_sub(1);
        }
        let draw = draw();
        let one = scale(draw as u32, count);
        let other = scale((draw >> 32) as u32, count - 1);
        // The second draw skips the first one's rank.
        let other = other + usize::from(other >= one);
        let load = |rank: usize| self.known[self.ready[rank]].in_flight;
        Some(if load(other) < load(one) { other } else { one })
    }

    /// Gives a slot back, even if its backend is no longer ready.
    pub(super) fn release(&mut self, taken: Taken) {
        self.in_flight -= 1;
        let backend = &mut self.known[taken.index];
        backend.in_flight -= 1;
        match backend.rank {
            Some(rank) if has_room(self.container_concurrency, backend) => {
                self.vacancies.set(rank, true);
            }
            Some(_) => {}
            None if backend.in_flight == 0 => self.forget(taken.index),
            None => {}
        }
    }

    /// Makes a backend ready. Requests to this address still in flight from before count against its limit, which is
    /// `limit` if there is one and requests are limited at all.
    pub(super) fn add(&mut self, address: SocketAddr, limit: Option<u32>) {
        let index = self.index_of(address).unwrap_or_else(|| {
            self.known.insert(Backend {
                address,
                in_flight: 0,
                limit,
                rank: None,
                epoch: 0,
            })
        });
        let backend = &mut self.known[index];
        let before = std::mem::replace(&mut backend.limit, limit);
        if backend.rank.is_some() {
            if before != limit {
                self.rank_anew();
            }
            return;
        }
        backend.epoch = backend.epoch.wrapping_add(1);
        let text = address.to_string();
        let rank = self
            .ready
            .partition_point(|&index| self.known[index].address.to_string() < text);
        self.ready.insert(rank, index);
        self.next += usize::from(rank < self.next);
        self.rank_anew();
    }

    /// Makes a backend no longer ready. False if it was not. Its slots stay taken until they are given back.
    pub(super) fn remove(&mut self, address: SocketAddr) -> bool {
        let Some(index) = self.index_of(address) else {
            return false;
        };
        let Some(rank) = self.known[index].rank.take() else {
            return false;
        };
        self.ready.remove(rank);
        self.next -= usize::from(rank < self.next);
        if self.known[index].in_flight == 0 {
            self.forget(index);
        }
        self.rank_anew();
        true
    }

    fn forget(&mut self, index: usize) {
        self.known.remove(index);
        self.has_forgotten = true;
    }

    /// Whether a backend was forgotten since the last call.
    pub(super) fn take_forgotten(&mut self) -> bool {
        std::mem::take(&mut self.has_forgotten)
    }

    /// Whether a backend is ready or has slots taken.
    pub(super) fn knows(&self, address: SocketAddr) -> bool {
        self.index_of(address).is_some()
    }

    /// Whether the backend has been ready ever since the slot was taken.
    pub(super) fn is_still_ready(&self, taken: &Taken) -> bool {
        let backend = &self.known[taken.index];
        backend.rank.is_some() && backend.epoch == taken.epoch
    }

    /// Changes the limit. Requests above a lower one continue.
    pub(super) fn set_container_concurrency(&mut self, container_concurrency: u32) {
        self.container_concurrency = container_concurrency;
        self.rank_anew();
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn index_of(&self, address: SocketAddr) -> Option<usize> {
        self.known
            .iter()
            .find_map(|(index, backend)| (backend.address == address).then_some(index))
    }

    fn rank_anew(&mut self) {
        for (rank, &index) in self.ready.iter().enumerate() {
            self.known[index].rank = Some(rank);
        }
        let (limit, known) = (self.container_concurrency, &self.known);
        let vacant = |&index: &usize| has_room(limit, &known[index]);
        self.vacancies.reset(self.ready.iter().map(vacant));
    }
}

fn has_room(container_concurrency: u32, backend: &Backend) -> bool {
    let limit = backend.limit.unwrap_or(container_concurrency);
    container_concurrency == 0 || backend.in_flight < limit as usize
}

/// Maps `draw` evenly to `0..count`.
fn scale(draw: u32, count: usize) -> usize {
    ((u64::from(draw) * count as u64) >> 32) as usize
}

#[cfg(test)]
impl Backends {
    /// Whether nothing is stored.
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.ready.is_empty() && self.in_flight == 0
    }
}

#[cfg(test)]
mod tests;
