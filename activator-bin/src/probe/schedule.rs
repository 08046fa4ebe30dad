//! Which probe is next: a pure state machine that keeps one revision's backends, however many or slow, from delaying
//! others.
//!
//! What must not live here: clocks, wakers, sockets, and how long a probe may take.

mod turns;

use std::collections::{BTreeMap, BTreeSet};

use self::turns::Turns;

/// How many first probes may start in a row while others could start.
const FIRST_IN_A_ROW: u32 = 7;

/// The kind of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The first one of a backend that is new or was just set aside. It has priority.
    First,
    /// A further one with the short timeout.
    Repeat,
    /// One with a long timeout.
    Patient,
}

impl Class {
    const ALL: [Self; 3] = [Self::First, Self::Repeat, Self::Patient];
}

/// A revision, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner(pub(super) u64);

/// A probe's position in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket(u64);

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step<W> {
    /// Start this probe.
    Start(W),
    /// Cut this probe short: its place is needed for a first one.
    Cut(W),
}

/// Decides which probes start, and which are cut short to make room. `W` is what the driver needs to signal a probe.
///
/// The total number of probes is limited. Probes other than first ones leave some places free, and a single revision
/// leaves a quarter of theirs to others. Within a class revisions take turns, and each one's probes start in order of
/// arrival. If a first probe finds no place, one that has had its fair share of time is cut short: the driver says
/// which ones have, and after every change calls [`next`](Self::next) until it returns `None`.
#[derive(Debug)]
pub(super) struct Schedule<W> {
    room: usize,
    /// The most that may run at once, by class.
    most: [usize; 3],
    tickets: u64,
    probes: BTreeMap<Ticket, Probe<W>>,
    waiting: [Turns; 3],
    running: [usize; 3],
    /// How many probes each revision has running, in the limited classes.
    shares: BTreeMap<(usize, Owner), usize>,
    /// Running probes that may be cut short.
    ripe: BTreeSet<Ticket>,
    /// Probes that were cut short but have not left yet.
    cut: usize,
    first_in_a_row: u32,
    patient_is_next: bool,
}

#[derive(Debug)]
struct Probe<W> {
    owner: Owner,
    class: Class,
    state: State,
    signal: W,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Running,
    Cut,
}

impl<W: Clone> Schedule<W> {
    /// Places for `room` probes (at least 2), up to half of them for long timeouts.
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
    pub(super) fn enqueue(&mut self, owner: Owner, class: Class, signal: W) -> Ticket {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let has_share = self.has_share(owner, class);
        self.waiting[class as usize].push(owner, ticket, has_share);
        let probe = Probe {
            owner,
            class,
            state: State::Waiting,
            signal,
        };
        self.probes.insert(ticket, probe);
        ticket
    }

    /// A probe has ended or no longer waits.
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

    /// A running probe has had its fair share of time. Those with long timeouts are never cut short.
    pub(super) fn ripen(&mut self, ticket: Ticket) {
        let may_be_cut = |probe: &Probe<W>| {
            probe.state == State::Running && matches!(probe.class, Class::First | Class::Repeat)
        };
        if self.probes.get(&ticket).is_some_and(may_be_cut) {
            self.ripe.insert(ticket);
        }
    }

    /// What to do now. Call it until it returns `None`.
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
        Some(Step::Start(probe.signal.clone()))
    }

    /// Picks the oldest probe that may be cut short, if a first probe waits that none was cut short for yet.
    fn make_room(&mut self) -> Option<Step<W>> {
        if self.waiting[Class::First as usize].len() <= self.cut {
            return None;
        }
        let ticket = self.ripe.pop_first()?;
        let probe = self.probes.get_mut(&ticket)?;
        probe.state = State::Cut;
        self.cut += 1;
        Some(Step::Cut(probe.signal.clone()))
    }

    /// The next class that has a probe that may start.
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

    /// Whether one more probe of this class leaves others their share.
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
