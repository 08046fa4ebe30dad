//! Which probe is next: a pure machine, so that no revision's backends, however many or slow, hold up the others.
//!
//! What must not live here: clocks, wakers, sockets, how long a probe may take.

mod turns;

use std::collections::{BTreeMap, BTreeSet};

use self::turns::Turns;

/// So many first probes go in a row while others wait that could go.
const FIRST_IN_A_ROW: u32 = 7;

/// What kind of probe it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The first one of a backend that is new, or has just been set aside: it goes before all others.
    First,
    /// A further one with the short time-out.
    Repeat,
    /// One with a long time-out.
    Patient,
}

impl Class {
    const ALL: [Self; 3] = [Self::First, Self::Repeat, Self::Patient];
}

/// A revision, by a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(pub(super) u64);

/// A probe's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<W> {
    /// This probe starts.
    Start(W),
    /// This probe is to be given up, as its room is needed for a first one.
    Cut(W),
}

/// Decides which probe starts, and which is given up for it. `W` is what the driver needs to tell it.
///
/// There is room for so many probes in all. Those that are no first ones leave some of it free, and of
/// their room a single revision leaves a quarter to others. Within a class revisions take turns, and
/// each one's probes go in order of arrival. When a first probe finds no room, one that has had its
/// fair share of time is given up for it: the driver says which have, and calls [`next`](Self::next)
/// after every change until nothing is to be done.
#[derive(Debug)]
pub(super) struct Schedule<W> {
    room: usize,
    /// The most that run at once, by class.
    most: [usize; 3],
    tickets: u64,
    probes: BTreeMap<Ticket, Probe<W>>,
    waiting: [Turns; 3],
    running: [usize; 3],
    /// What each revision has running, where that is bounded.
    shares: BTreeMap<(usize, Owner), usize>,
    /// Those that run and may be given up.
    ripe: BTreeSet<Ticket>,
    /// Those that were told to give up and have not left so far.
    cut: usize,
    first_in_a_row: u32,
    patient_is_next: bool,
}

#[derive(Debug)]
struct Probe<W> {
    owner: Owner,
    class: Class,
    state: State,
    told: W,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Cut,
}

impl<W: Clone> Schedule<W> {
    /// Room for so many probes (2 at least), of which those with long time-outs take half at most.
    pub(super) fn new(room: usize) -> Self {
        let room = room.max(2);
        let patient = room / 2;
        let repeats = ((room - patient) * 3 / 4).max(1);
        Self {
            room,
            most: [room, repeats, patient],
            tickets: 0,
            probes: BTreeMap::new(),
            waiting: Default::default(),
            running: [0; 3],
            shares: BTreeMap::new(),
            ripe: BTreeSet::new(),
            cut: 0,
            first_in_a_row: 0,
            patient_is_next: false,
        }
    }

    /// A probe waits to be started.
    pub(super) fn enqueue(&mut self, owner: Owner, class: Class, told: W) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let has_share = self.has_share(owner, class);
        self.waiting[class as usize].push(owner, ticket, has_share);
        let probe = Probe {
            owner,
            class,
            state: State::Waiting,
            told,
        };
        self.probes.insert(ticket, probe);
        ticket
    }

    /// A probe has ended, or does not wait any more.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        let Some(probe) = self.probes.remove(&ticket) else {
            return;
        };
        let (owner, class) = (probe.owner, probe.class);
        if probe.state == State::Waiting {
            self.waiting[class as usize].remove(owner, ticket);
            return;
        }
        self.running[class as usize] -= 1;
        self.ripe.remove(&ticket);
        self.cut -= usize::from(probe.state == State::Cut);
        if class != Class::First {
            let share = (class as usize, owner);
            if let Some(running) = self.shares.get_mut(&share) {
                *running -= 1;
                if *running == 0 {
                    self.shares.remove(&share);
                }
            }
            self.waiting[class as usize].admit(owner);
        }
    }

    /// A probe that runs has had its fair share of time. Those with long time-outs always may go on.
    pub(super) fn ripen(&mut self, ticket: Ticket) {
        let may_be_cut = |probe: &Probe<W>| {
            probe.state == State::Running && matches!(probe.class, Class::First | Class::Repeat)
        };
        if self.probes.get(&ticket).is_some_and(may_be_cut) {
            self.ripe.insert(ticket);
        }
    }

    /// What is to be done now; to be called until there is nothing.
    pub(super) fn next(&mut self) -> Option<Step<W>> {
        if self.running.iter().sum::<usize>() == self.room {
            return self.make_room();
        }
        let class = self.class()?;
        let (owner, ticket) = self.waiting[class as usize].pop()?;
        self.running[class as usize] += 1;
        if class != Class::First {
            *self.shares.entry((class as usize, owner)).or_default() += 1;
            if !self.has_share(owner, class) {
                self.waiting[class as usize].hold(owner);
            }
        }
        let probe = self.probes.get_mut(&ticket)?;
        probe.state = State::Running;
        Some(Step::Start(probe.told.clone()))
    }

    /// The oldest probe that may be given up, when a first one waits for which none has been so far.
    fn make_room(&mut self) -> Option<Step<W>> {
        if self.waiting[Class::First as usize].len() <= self.cut {
            return None;
        }
        let ticket = self.ripe.pop_first()?;
        let probe = self.probes.get_mut(&ticket)?;
        probe.state = State::Cut;
        self.cut += 1;
        Some(Step::Cut(probe.told.clone()))
    }

    /// Which class is next, of those that have a probe that may go.
    fn class(&mut self) -> Option<Class> {
        let may_go = |class: &Class| {
            let index = *class as usize;
            self.running[index] < self.most[index] && self.waiting[index].has_next()
        };
        let [first, repeat, patient] = Class::ALL.map(|class| may_go(&class));
        let other = match (repeat, patient) {
            (true, true) if self.patient_is_next => Some(Class::Patient),
            (true, _) => Some(Class::Repeat),
            (false, true) => Some(Class::Patient),
            (false, false) => None,
        };
        let class = match other {
            Some(_) if first && self.first_in_a_row < FIRST_IN_A_ROW => Class::First,
            Some(other) => other,
            None if first => Class::First,
            None => return None,
        };
        match class {
            Class::First => self.first_in_a_row += u32::from(other.is_some()),
            other => {
                self.first_in_a_row = 0;
                self.patient_is_next = other == Class::Repeat;
            }
        }
        Some(class)
    }

    /// Whether one more probe of that class leaves others their part.
    fn has_share(&self, owner: Owner, class: Class) -> bool {
        let most = self.most[class as usize];
        let running = self.shares.get(&(class as usize, owner));
        class == Class::First || running.copied().unwrap_or(0) < most - most / 4
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
