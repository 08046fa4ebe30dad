//! Which states of the breaker are waited for.

use std::net::SocketAddr;

use super::Breaker;

/// A state that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// A backend is ready.
    Ready,
    /// A request waits, and no backend is ready.
    Starving,
    /// No request waits, and no slot is taken.
    Idle,
    /// This backend is not ready, and none of its slots is taken.
    Vacated(SocketAddr),
}

/// Kinds of states: a bit for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kinds(u8);

impl Kinds {
    /// That of every [`State::Vacated`].
    pub(super) const VACATED: Self = Self(8);

    pub(super) fn of(state: State) -> Self {
        match state {
            State::Ready => Self(1),
            State::Starving => Self(2),
            State::Idle => Self(4),
            State::Vacated(_) => Self::VACATED,
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn add(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub(super) fn overlaps(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl<W> Breaker<W> {
    /// Whether this state holds. If not, it is watched from now on, until it is reached.
    pub(in super::super) fn watch(&mut self, state: State) -> bool {
        let holds = self.holds(state);
        if !holds {
            self.watched.add(Kinds::of(state));
            self.backends.take_forgotten();
        }
        holds
    }

    /// Whether a state that is watched may be reached. To be asked after every change that may have led to one.
    pub(in super::super) fn take_reached(&mut self) -> bool {
        if self.watched.is_empty() {
            return false;
        }
        let is_vacated = self.backends.take_forgotten();
        let mut reached = Kinds::default();
        for state in [State::Ready, State::Starving, State::Idle] {
            if self.holds(state) {
                reached.add(Kinds::of(state));
            }
        }
        if is_vacated {
            reached.add(Kinds::VACATED);
        }
        let is_reached = self.watched.overlaps(reached);
        if is_reached {
            // Those who wait look again, and say so if they still wait.
            self.watched = Kinds::default();
        }
        is_reached
    }

    fn holds(&self, state: State) -> bool {
        match state {
            State::Starving => !self.waiting.is_empty() && self.backends.ready() == 0,
            State::Idle => self.waiting.is_empty() && self.backends.in_flight() == 0,
            State::Ready => self.backends.ready() > 0,
            State::Vacated(address) => !self.backends.knows(address),
        }
    }
}
