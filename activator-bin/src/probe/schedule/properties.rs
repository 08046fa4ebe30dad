//! Random histories, checked against a naive model that keeps one list and scans it every time.

use proptest::prelude::*;

use super::*;

/// An operation. Numbers select among what exists at that moment.
#[derive(Clone, Debug)]
enum Op {
    Enqueue(u64, usize),
    Leave(usize),
    Ripen(usize),
}

/// The obvious way to keep the same state.
struct Model {
    room: usize,
    /// In order of arrival.
    probes: Vec<Known>,
    /// Per class, the order of revisions: those that had their turn or began to wait most recently are last.
    turns: [Vec<Owner>; 3],
    first_in_a_row: u32,
    patient_is_next: bool,
}

#[derive(Clone, Debug)]
struct Known {
    ticket: Ticket,
    owner: Owner,
    class: usize,
    state: State,
    is_ripe: bool,
}

impl Model {
    fn most(&self) -> [usize; 3] {
        let patient = self.room / 2;
        let repeats = (self.room - patient) * 3 / 4;
        [self.room, repeats.max(1), patient]
    }

    fn running(&self, is_counted: impl Fn(&Known) -> bool) -> usize {
        let running = self.probes.iter().filter(|it| it.state != State::Waiting);
        running.filter(|it| is_counted(it)).count()
    }

    fn waits(&self, owner: Owner, class: usize) -> bool {
        let waiting = |it: &Known| (it.owner, it.class, it.state) == (owner, class, State::Waiting);
        self.probes.iter().any(waiting)
    }

    fn is_within_its_share(&self, owner: Owner, class: usize) -> bool {
        let most = self.most()[class];
        let share = most - most / 4;
        class == 0 || self.running(|it| it.class == class && it.owner == owner) < share
    }

    /// Moves an owner to the end of its class's turns, unless it is listed there and `stays`.
    fn line_up(&mut self, owner: Owner, class: usize, stays: bool) {
        if stays && self.turns[class].contains(&owner) {
            return;
        }
        self.turns[class].retain(|&it| it != owner);
        if self.waits(owner, class) && self.is_within_its_share(owner, class) {
            self.turns[class].push(owner);
        }
    }

    fn next_of(&self, class: usize) -> Option<usize> {
        let is_full = self.running(|it| it.class == class) >= self.most()[class];
        let owner = *self.turns[class].first().filter(|_| !is_full)?;
        let is_it = |it: &Known| (it.owner, it.class, it.state) == (owner, class, State::Waiting);
        self.probes.iter().position(is_it)
    }

    fn next(&mut self) -> Option<Step<Ticket>> {
        if self.running(|_| true) == self.room {
            let waiting = |it: &&Known| it.class == 0 && it.state == State::Waiting;
            let waiting = self.probes.iter().filter(waiting).count();
            if waiting <= self.running(|it| it.state == State::Cut) {
                return None;
            }
            let may_be_cut = |it: &&mut Known| it.is_ripe && it.state == State::Running;
            let cut = self.probes.iter_mut().find(may_be_cut)?;
            cut.state = State::Cut;
            return Some(Step::Cut(cut.ticket));
        }
        let [first, repeat, patient] = [0, 1, 2].map(|class| self.next_of(class));
        let other = if self.patient_is_next {
            patient.or(repeat)
        } else {
            repeat.or(patient)
        };
        let chosen = match (first, other) {
            (Some(first), Some(other)) if self.first_in_a_row == FIRST_IN_A_ROW => {
                assert_ne!(first, other);
                other
            }
            (first, other) => first.or(other)?,
        };
        let Known { owner, class, .. } = self.probes[chosen];
        if class == 0 {
            self.first_in_a_row += u32::from(other.is_some());
        } else {
            self.first_in_a_row = 0;
            self.patient_is_next = class == 1;
        }
        self.probes[chosen].state = State::Running;
        self.line_up(owner, class, false);
        Some(Step::Start(self.probes[chosen].ticket))
    }
}

/// The schedule and its model. Probes are identified by ticket.
struct Both {
    schedule: Schedule<u64>,
    model: Model,
    names: u64,
}

impl Both {
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Enqueue(owner, class) => {
                let owner = Owner(owner);
                self.names += 1;
                let ticket = self.schedule.enqueue(owner, Class::ALL[class], self.names);
                assert_eq!(ticket, Ticket(self.names));
                self.model.probes.push(Known {
                    ticket,
                    owner,
                    class,
                    state: State::Waiting,
                    is_ripe: false,
                });
                self.model.line_up(owner, class, true);
            }
            Op::Leave(nth) => {
                if let Some(nth) = nth.checked_rem(self.model.probes.len()) {
                    let known = self.model.probes.remove(nth);
                    self.schedule.leave(known.ticket);
                    let (owner, class) = (known.owner, known.class);
                    if !self.model.waits(owner, class) {
                        self.model.turns[class].retain(|&it| it != owner);
                    } else if known.state != State::Waiting {
                        self.model.line_up(owner, class, true);
                    }
                }
            }
            Op::Ripen(nth) => {
                if let Some(nth) = nth.checked_rem(self.model.probes.len()) {
                    let known = &mut self.model.probes[nth];
                    known.is_ripe |= known.state == State::Running && known.class != 2;
                    self.schedule.ripen(known.ticket);
                }
            }
        }
        loop {
            let step = self.schedule.next();
            let named = match self.model.next() {
                Some(Step::Start(Ticket(name))) => Some(Step::Start(name)),
                Some(Step::Cut(Ticket(name))) => Some(Step::Cut(name)),
                None => None,
            };
            assert_eq!(step, named, "{:?}", self.model.probes);
            if step.is_none() {
                break;
            }
        }
        self.check();
    }

    /// Checks the invariants that do not depend on the model.
    fn check(&self) {
        let running = self.model.running(|_| true);
        assert!(running <= self.model.room);
        let first_waits = |it: &Known| it.class == 0 && it.state == State::Waiting;
        if self.model.probes.iter().any(first_waits) {
            assert_eq!(running, self.model.room, "there is room for a first probe");
            let slow = self.model.running(|it| it.class == 2);
            assert!(slow <= self.model.room / 2);
        }
    }
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (0..5_u64, 0..3_usize).prop_map(|(owner, class)| Op::Enqueue(owner, class)),
        3 => any::<usize>().prop_map(Op::Leave),
        2 => any::<usize>().prop_map(Op::Ripen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_schedule_matches_the_naive_model(
        room in 2..20_usize,
        history in prop::collection::vec(ops(), 0..300),
    ) {
        let mut both = Both {
            schedule: Schedule::new(room),
            model: Model {
                room,
                probes: Vec::new(),
                turns: Default::default(),
                first_in_a_row: 0,
                patient_is_next: false,
            },
            names: 0,
        };
        history.iter().for_each(|op| both.apply(op));
        while !both.model.probes.is_empty() {
            both.apply(&Op::Leave(0));
        }
        prop_assert!(both.schedule.is_empty());
    }
}
