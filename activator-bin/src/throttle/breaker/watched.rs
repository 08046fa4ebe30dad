//! Which states of the breaker are waited for.

use std::net::SocketAddr;

/// A state that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A request waits, and no backend is ready.
    Starving,
    /// No request waits, and no slot is taken.
    Idle,
    /// This backend is not ready, and none of its slots is taken.
    Vacated(SocketAddr),
}

/// The kinds of states that are waited for.
#[derive(Debug, Default)]
pub(super) struct Watched {
    starving: bool,
    idle: bool,
    vacated: bool,
}

impl Watched {
    pub(super) fn is_empty(&self) -> bool {
        !(self.starving | self.idle | self.vacated)
    }

    pub(super) fn add(&mut self, state: State) {
        match state {
            State::Starving => self.starving = true,
            State::Idle => self.idle = true,
            State::Vacated(_) => self.vacated = true,
        }
    }

    /// Whether one of these kinds, which are reached, is waited for. Those who wait for it add it again if need be.
    pub(super) fn take(&mut self, starving: bool, idle: bool, vacated: bool) -> bool {
        let is_reached = (self.starving & starving) | (self.idle & idle) | (self.vacated & vacated);
        if is_reached {
            *self = Self::default();
        }
        is_reached
    }
}
