//! Random arming and disarming, against a model that scans everything each time.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Insert,
    Remove(usize),
    Arm(usize, TimeoutKind, u64),
    Disarm(usize, TimeoutKind),
    /// Time passes, and expired deadlines are removed.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let kind = || prop::sample::select(TimeoutKind::ALL.to_vec());
    prop_oneof![
        3 => Just(Step::Insert),
        2 => any::<usize>().prop_map(Step::Remove),
        6 => (any::<usize>(), kind(), 1..4_u64).prop_map(|(at, kind, limit)| Step::Arm(at, kind, limit * 7)),
        2 => (any::<usize>(), kind()).prop_map(|(at, kind)| Step::Disarm(at, kind)),
        4 => (0..12_u64).prop_map(Step::Pass),
    ]
}

/// The armed deadlines, by entry and kind.
type Model = BTreeMap<(usize, TimeoutKind), Instant>;

fn check(steps: Vec<Step>) {
    let mut queue = Queue::new();
    let mut model = Model::new();
    let mut keys: Vec<usize> = Vec::new();
    let mut now = Instant::now();
    for (number, step) in steps.into_iter().enumerate() {
        let pick = |at: usize| (!keys.is_empty()).then(|| at % keys.len());
        match step {
            Step::Insert => keys.push(queue.insert(number)),
            Step::Remove(at) => {
                if let Some(at) = pick(at) {
                    let key = keys.swap_remove(at);
                    queue.remove(key);
                    model.retain(|&(it, _), _| it != key);
                }
            }
            Step::Arm(at, kind, limit) => {
                if let Some(at) = pick(at) {
                    let limit = Duration::from_millis(limit);
                    let deadline = queue.arm(keys[at], kind, limit, now);
                    assert_eq!(deadline, now + limit);
                    model.insert((keys[at], kind), deadline);
                }
            }
            Step::Disarm(at, kind) => {
                if let Some(at) = pick(at) {
                    queue.disarm(keys[at], kind);
                    model.remove(&(keys[at], kind));
                }
            }
            Step::Pass(millis) => {
                now += Duration::from_millis(millis);
                let mut due = Vec::new();
                let next = queue.expire(now, &mut due);
                due.sort_unstable();
                let is_due = |deadline: &Instant| *deadline <= now;
                let expected = model.iter().filter(|(_, deadline)| is_due(deadline));
                let expected: Vec<_> = expected.map(|(armed, _)| *armed).collect();
                assert_eq!(due, expected);
                model.retain(|_, deadline| !is_due(deadline));
                assert_eq!(next, model.values().min().copied());
                let lists = model.len();
                assert!(queue.lists.len() <= lists, "an empty list stays");
            }
        }
    }
    for key in keys {
        queue.remove(key);
    }
    assert_eq!(queue.expire(now, &mut Vec::new()), None);
    assert!(queue.lists.is_empty() && queue.entries.is_empty());
}

proptest! {
    #[test]
    fn the_queue_expires_what_a_full_scan_finds(steps in prop::collection::vec(step(), 0..200)) {
        check(steps);
    }
}

#[test]
fn a_clock_that_goes_back_expires_nothing_early() {
    let mut queue = Queue::new();
    let (first, second) = (queue.insert(()), queue.insert(()));
    let limit = Duration::from_secs(1);
    let begin = Instant::now();
    let later = begin + limit;
    assert_eq!(
        queue.arm(first, TimeoutKind::Total, limit, later),
        later + limit
    );
    assert_eq!(
        queue.arm(second, TimeoutKind::Total, limit, begin),
        later + limit
    );
    let mut due = Vec::new();
    assert_eq!(queue.expire(later, &mut due), Some(later + limit));
    assert!(due.is_empty());
}
