//! Whose turn it is, among the revisions that have probes waiting. Nothing is stored about the others.

use std::collections::{BTreeMap, BTreeSet};

use super::{Owner, Ticket};

/// The waiting probes of one class.
#[derive(Debug, Default)]
pub(super) struct Turns {
    lines: BTreeMap<Owner, Line>,
    /// The revisions that may have a turn, the next one first.
    order: BTreeMap<u64, Owner>,
    last_turn: u64,
    waiting: usize,
}

/// The waiting probes of one revision; never empty.
#[derive(Debug, Default)]
struct Line {
    tickets: BTreeSet<Ticket>,
    /// Its position in the order. `None` while it is held back.
    turn: Option<u64>,
}

impl Turns {
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Whether there is a probe that may start.
    pub(super) fn has_next(&self) -> bool {
        !self.order.is_empty()
    }

    /// Adds a waiting probe. `may_go` matters only if it is its revision's first.
    pub(super) fn push(&mut self, owner: Owner, ticket: Ticket, may_go: bool) {
        let is_new = !self.lines.contains_key(&owner);
        let line = self.lines.entry(owner).or_default();
        self.waiting += usize::from(line.tickets.insert(ticket));
        if is_new && may_go {
            self.admit(owner);
        }
    }

    /// Takes the next probe. Its revision moves to the end.
    pub(super) fn pop(&mut self) -> Option<(Owner, Ticket)> {
        let (_, owner) = self.order.pop_first()?;
        let line = self.lines.get_mut(&owner)?;
        line.turn = None;
        let ticket = line.tickets.pop_first()?;
        self.waiting -= 1;
        if line.tickets.is_empty() {
            self.lines.remove(&owner);
        } else {
            self.admit(owner);
        }
        Some((owner, ticket))
    }

    /// A probe no longer waits.
    pub(super) fn remove(&mut self, owner: Owner, ticket: Ticket) {
        let Some(line) = self.lines.get_mut(&owner) else {
            return;
        };
        self.waiting -= usize::from(line.tickets.remove(&ticket));
        if line.tickets.is_empty() {
            self.hold(owner);
            self.lines.remove(&owner);
        }
    }

    /// Holds a revision back until it is admitted again or has nothing left waiting.
    pub(super) fn hold(&mut self, owner: Owner) {
        let line = self.lines.get_mut(&owner);
        if let Some(turn) = line.and_then(|line| line.turn.take()) {
            self.order.remove(&turn);
        }
    }

    /// Lets a revision have turns again, starting at the end. Does nothing if it already may, or has nothing waiting.
    pub(super) fn admit(&mut self, owner: Owner) {
        if let Some(line) = self.lines.get_mut(&owner)
            && line.turn.is_none()
        {
            self.last_turn += 1;
            line.turn = Some(self.last_turn);
            self.order.insert(self.last_turn, owner);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.order.is_empty() && self.waiting == 0
    }
}
