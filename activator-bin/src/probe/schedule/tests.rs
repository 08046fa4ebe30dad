//! The schedule, one rule at a time.

use super::*;

const DEAD: Owner = Owner(1);
const OTHER: Owner = Owner(2);

/// All that is to be done now.
fn steps<W: Clone>(schedule: &mut Schedule<W>) -> Vec<Step<W>> {
    std::iter::from_fn(|| schedule.next()).collect()
}

fn started(steps: &[Step<u32>]) -> Vec<u32> {
    let started = |step: &Step<u32>| match step {
        Step::Start(name) => *name,
        Step::Cut(name) => panic!("{name} is cut"),
    };
    steps.iter().map(started).collect()
}

#[test]
fn first_probes_have_priority_over_repeated_ones() {
    let mut schedule = Schedule::new(2);
    let running = [0, 1].map(|name| schedule.enqueue(DEAD, Class::First, name));
    assert_eq!(started(&steps(&mut schedule)), [0, 1]);
    schedule.enqueue(DEAD, Class::Repeat, 2);
    schedule.enqueue(DEAD, Class::Patient, 3);
    schedule.enqueue(OTHER, Class::First, 4);
    for (ticket, next) in running.into_iter().zip([4, 2]) {
        schedule.leave(ticket);
        assert_eq!(started(&steps(&mut schedule)), [next]);
    }
}

#[test]
fn revisions_take_turns() {
    let mut schedule = Schedule::new(2);
    let running = [0, 1].map(|name| schedule.enqueue(DEAD, Class::First, name));
    assert_eq!(started(&steps(&mut schedule)), [0, 1]);
    for name in 2..10 {
        schedule.enqueue(DEAD, Class::First, name);
    }
    schedule.enqueue(OTHER, Class::First, 10);
    schedule.enqueue(OTHER, Class::First, 11);
    running
        .into_iter()
        .for_each(|ticket| schedule.leave(ticket));
    assert_eq!(started(&steps(&mut schedule)), [2, 10]);
}

#[test]
fn slow_backends_leave_room_for_first_probes() {
    let mut schedule = Schedule::new(100);
    let mut tickets = Vec::new();
    for owner in 0..1_000 {
        for class in [Class::Repeat, Class::Patient] {
            tickets.push(schedule.enqueue(Owner(owner), class, 0));
        }
    }
    let slow = started(&steps(&mut schedule)).len();
    assert_eq!(slow, 50 + 37);
    for name in 1..=13 {
        schedule.enqueue(OTHER, Class::First, name);
    }
    assert_eq!(started(&steps(&mut schedule)).len(), 13);
    assert_eq!(steps(&mut schedule), []);
}

#[test]
fn a_single_revision_leaves_room_for_the_repeated_probes_of_others() {
    let mut schedule = Schedule::new(100);
    let mut tickets = Vec::new();
    for name in 0..200 {
        tickets.push(schedule.enqueue(DEAD, Class::Repeat, name));
        schedule.enqueue(DEAD, Class::Patient, name);
    }
    assert_eq!(started(&steps(&mut schedule)).len(), 28 + 38);
    schedule.enqueue(OTHER, Class::Repeat, 1_000);
    schedule.enqueue(OTHER, Class::Patient, 2_000);
    assert_eq!(started(&steps(&mut schedule)), [1_000, 2_000]);
    // One of its own has ended, so another may start.
    schedule.leave(tickets[0]);
    assert_eq!(started(&steps(&mut schedule)), [28]);
}

#[test]
fn a_first_probe_takes_the_place_of_one_that_has_had_its_share() {
    let mut schedule = Schedule::new(2);
    let running = [0, 1].map(|name| schedule.enqueue(DEAD, Class::First, name));
    assert_eq!(started(&steps(&mut schedule)), [0, 1]);
    schedule.enqueue(OTHER, Class::First, 2);
    assert_eq!(steps(&mut schedule), []);
    schedule.ripen(running[1]);
    assert_eq!(steps(&mut schedule), [Step::Cut(1)]);
    // One cut is enough for one, and its place is taken only once it has left.
    schedule.ripen(running[0]);
    assert_eq!(steps(&mut schedule), []);
    schedule.leave(running[1]);
    assert_eq!(started(&steps(&mut schedule)), [2]);
}

#[test]
fn only_first_probes_cut_others_short_and_never_patient_ones() {
    let mut schedule = Schedule::new(2);
    let patient = schedule.enqueue(DEAD, Class::Patient, 0);
    let repeat = schedule.enqueue(DEAD, Class::Repeat, 1);
    assert_eq!(started(&steps(&mut schedule)), [1, 0]);
    schedule.ripen(patient);
    schedule.ripen(repeat);
    schedule.enqueue(OTHER, Class::Repeat, 2);
    schedule.enqueue(OTHER, Class::Patient, 3);
    assert_eq!(steps(&mut schedule), []);
    schedule.enqueue(OTHER, Class::First, 4);
    schedule.enqueue(OTHER, Class::First, 5);
    assert_eq!(steps(&mut schedule), [Step::Cut(1)]);
}

#[test]
fn endless_first_probes_do_not_starve_others() {
    let mut schedule = Schedule::new(2);
    let mut running = Vec::new();
    for name in 0..40 {
        running.push((name, schedule.enqueue(Owner(name), Class::First, name)));
    }
    running.push((100, schedule.enqueue(DEAD, Class::Repeat, 100)));
    running.push((200, schedule.enqueue(DEAD, Class::Patient, 200)));
    let mut order = Vec::new();
    while running.len() > 2 {
        for name in started_now(&mut schedule) {
            order.push(name);
        }
        let name = order[order.len() - 1];
        if let Some(at) = running.iter().position(|(own, _)| *own == name) {
            schedule.leave(running.remove(at).1);
        }
    }
    let place = |name| order.iter().position(|&it| it == name);
    assert_eq!(place(100), Some(7));
    assert_eq!(place(200), Some(15));
}

fn started_now(schedule: &mut Schedule<u64>) -> Vec<u64> {
    let steps = steps(schedule);
    steps
        .into_iter()
        .map(|step| match step {
            Step::Start(name) | Step::Cut(name) => name,
        })
        .collect()
}

#[test]
fn whoever_leaves_is_forgotten() {
    let mut schedule = Schedule::new(10);
    let mut tickets = Vec::new();
    for name in 0..1_000_u32 {
        let class = Class::ALL[name as usize % 3];
        tickets.push(schedule.enqueue(Owner(u64::from(name) % 7), class, name));
    }
    let _ = steps(&mut schedule);
    for ticket in tickets {
        schedule.ripen(ticket);
        schedule.leave(ticket);
        let _ = steps(&mut schedule);
    }
    assert!(schedule.is_empty());
}

impl<W> Schedule<W> {
    /// Whether nothing is stored.
    pub(super) fn is_empty(&self) -> bool {
        let nobody_waits = self.waiting.iter().all(Turns::is_empty);
        let nobody_runs = self.running == [0; 3] && self.cut == 0;
        let nothing_kept = self.probes.is_empty() && self.shares.is_empty() && self.ripe.is_empty();
        nobody_waits && nobody_runs && nothing_kept
    }
}
