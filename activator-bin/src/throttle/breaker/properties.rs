//! Random histories, checked against a naive model that keeps lists and scans all of them every time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use self::model::Model;
use super::*;

mod model;
mod unready;

/// An operation. Numbers select among what exists at that moment.
#[derive(Clone, Debug)]
enum Op {
    Arrive,
    /// A request that waits only while a backend is ready.
    ArriveWhileReady,
    Cancel(usize),
    Collect(usize),
    Release(usize),
    /// With or without a complaint about its backend.
    Retry(usize, bool),
    SetAside(usize),
    /// With a limit of its own or without.
    Add(u8, Option<u32>),
    Remove(u8),
    SetContainerConcurrency(u32),
    SetQueueDepth(usize),
    /// Starting fails, and counts as failed for so many seconds.
    Fail(u64),
    Recover,
    /// So many seconds pass.
    Pass(u64),
    /// Somebody waits for a state.
    Watch(State),
    Close,
}

/// The breaker and its model, driven as the wrapper drives the breaker.
struct Both {
    breaker: Breaker<u64>,
    model: Model,
    tickets: BTreeMap<u64, Ticket>,
    grants: BTreeMap<u64, Grant>,
    draws: u64,
    origin: Instant,
}

impl Both {
    fn new(container_concurrency: u32, queue_depth: usize) -> Self {
        Self {
            breaker: Breaker::new(container_concurrency, queue_depth),
            model: Model {
                container_concurrency,
                queue_depth,
                ..Model::default()
            },
            tickets: BTreeMap::new(),
            grants: BTreeMap::new(),
            draws: 0,
            origin: Instant::now(),
        }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.origin + Duration::from_secs(seconds)
    }

    fn draw(&mut self) -> u64 {
        self.draws += 1;
        self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Arrive => self.arrive(),
            Op::ArriveWhileReady => self.arrive_while_ready(),
            Op::Cancel(nth) => self.cancel(nth),
            Op::Collect(nth) => self.collect(nth),
            Op::Release(nth) => {
                if let Some((arrival, grant)) = nth_of(&mut self.grants, nth) {
                    self.model.slots.remove(&arrival);
                    self.breaker.release(grant);
                }
            }
            Op::Retry(nth, complains) => self.retry(nth, complains),
            Op::SetAside(nth) => self.set_aside(nth),
            Op::Add(number, limit) => {
                let added = backend(number);
                self.model.ready.insert(added.to_string(), added);
                self.model.limits.remove(&added);
                self.model.limits.extend(limit.map(|limit| (added, limit)));
                self.breaker.add_backend(added, limit);
            }
            Op::Remove(number) => {
                self.model.remove(backend(number));
                self.breaker.remove_backend(backend(number));
            }
            Op::SetContainerConcurrency(limit) => {
                self.model.container_concurrency = limit;
                self.breaker.set_container_concurrency(limit);
            }
            Op::SetQueueDepth(depth) => {
                self.model.queue_depth = depth;
                self.breaker.set_queue_depth(depth);
            }
            Op::Fail(seconds) => self.fail(seconds),
            Op::Recover => {
                self.model.failed_until = None;
                assert_eq!(self.breaker.set_failure(None).count(), 0);
            }
            Op::Pass(seconds) => self.model.now += seconds,
            Op::Watch(state) => {
                let holds = self.model.holds(state);
                assert_eq!(self.breaker.watch(state), holds, "{state:?}");
                self.model.watched.extend((!holds).then_some(state));
            }
            Op::Close => self.close(),
        }
        self.check_dismissed();
        self.grant_all();
        self.check_watched();
        self.compare();
    }

    fn arrive(&mut self) {
        let Some(arrival) = self.arrive_to_wait() else {
            return;
        };
        let now = self.at(self.model.now);
        let answer = self.breaker.may_wait(|| now);
        assert_eq!(answer.is_ok(), self.may_wait(false));
        match answer {
            Err(why) => self.check_refusal(&why),
            Ok(()) => {
                self.tickets.insert(arrival, self.breaker.enqueue(arrival));
                self.model.waiting.insert(arrival);
            }
        }
    }

    /// A new request, unless it gets a slot at once.
    fn arrive_to_wait(&mut self) -> Option<u64> {
        self.model.arrivals += 1;
        let arrival = self.model.arrivals;
        let goes_through = !self.model.closed
            && self.model.waiting.is_empty()
            && !self.model.with_room().is_empty();
        let draw = self.draw();
        let grant = self.breaker.try_acquire(|| draw);
        assert_eq!(grant.is_some(), goes_through);
        let Some(grant) = grant else {
            return Some(arrival);
        };
        self.model.take(arrival, grant.backend());
        self.grants.insert(arrival, grant);
        None
    }

    fn cancel(&mut self, nth: usize) {
        if let Some((arrival, ticket)) = nth_of(&mut self.tickets, nth) {
            let waited = self.model.waiting.remove(&arrival);
            self.model.slots.remove(&arrival);
            assert_eq!(self.breaker.cancel(ticket), waited.then_some(arrival));
        }
    }

    fn collect(&mut self, nth: usize) {
        let Some((arrival, ticket)) = nth_of(&mut self.tickets, nth) else {
            return;
        };
        match self.breaker.turn(ticket) {
            Turn::Granted(grant) => {
                assert_eq!(self.model.slots.get(&arrival), Some(&grant.backend()));
                self.grants.insert(arrival, grant);
            }
            Turn::Waiting(&mut waiter) => {
                assert_eq!(waiter, arrival);
                assert!(self.model.waiting.contains(&arrival));
                self.tickets.insert(arrival, ticket);
            }
            Turn::Refused(why) => {
                assert!(!self.model.slots.contains_key(&arrival));
                assert!(!self.model.waiting.contains(&arrival));
                let is_closed = matches!(why, NotQueued::Closed);
                assert_eq!(is_closed, self.model.closed, "{why:?}");
                if why == NotQueued::NotReady {
                    assert!(self.model.only_while_ready.contains(&arrival));
                }
            }
        }
    }

    fn complain(&mut self, grant: &Grant) {
        let backend = grant.backend();
        let was_ready = self.breaker.backends.is_still_ready(&grant.taken);
        if was_ready {
            assert!(self.model.remove(backend));
        }
        let complaint = Complaint::Closed;
        assert_eq!(self.breaker.set_aside(grant, complaint), was_ready);
        let noted = self.breaker.take_set_aside();
        assert_eq!(
            noted,
            Vec::from_iter(was_ready.then_some((backend, complaint)))
        );
    }

    fn set_aside(&mut self, nth: usize) {
        if let Some((arrival, grant)) = nth_of(&mut self.grants, nth) {
            self.complain(&grant);
            self.grants.insert(arrival, grant);
        }
    }

    fn retry(&mut self, nth: usize, complains: bool) {
        let Some((arrival, grant)) = nth_of(&mut self.grants, nth) else {
            return;
        };
        if complains {
            self.complain(&grant);
        }
        self.model.slots.remove(&arrival);
        let now = self.at(self.model.now);
        let answer = self.breaker.retry(grant, arrival, || now);
        assert_eq!(answer.is_ok(), self.may_wait(true));
        match answer {
            Ok(ticket) => {
                self.tickets.insert(arrival, ticket);
                self.model.waiting.insert(arrival);
            }
            Err((waiter, why)) => {
                assert_eq!(waiter, arrival);
                self.check_refusal(&why);
            }
        }
    }

    fn close(&mut self) {
        self.model.closed = true;
        let answered: Vec<u64> = self.breaker.close().collect();
        let waiting = std::mem::take(&mut self.model.waiting);
        assert!(answered.into_iter().eq(waiting), "in order of arrival");
    }

    /// Grants in order of arrival, as long as there is room.
    fn grant_all(&mut self) {
        loop {
            let draw = self.draw();
            let Some(arrival) = self.breaker.grant_next(|| draw) else {
                break;
            };
            assert_eq!(self.model.waiting.pop_first(), Some(arrival));
            let granted = &self.breaker.granted[&self.tickets[&arrival]];
            self.model.take(arrival, granted.address);
        }
        let idle = self.model.with_room();
        assert!(
            self.model.waiting.is_empty() || idle.is_empty(),
            "{idle:?} idle while {:?} wait",
            self.model.waiting
        );
    }

    fn compare(&self) {
        assert_eq!(self.breaker.queued(), self.model.waiting.len());
        assert_eq!(self.breaker.active(), self.model.slots.len());
        assert_eq!(self.breaker.ready_backends(), self.model.ready.len());
        let uncollected = self.model.slots.len() - self.grants.len();
        assert_eq!(self.breaker.granted.len(), uncollected);
    }

    /// All requests end.
    fn end(mut self) {
        for ticket in std::mem::take(&mut self.tickets).into_values() {
            let _ = self.breaker.cancel(ticket);
        }
        for grant in std::mem::take(&mut self.grants).into_values() {
            self.breaker.release(grant);
        }
        assert_eq!((self.breaker.queued(), self.breaker.active()), (0, 0));
        assert!(self.breaker.waiting.is_empty() && self.breaker.granted.is_empty());
        for number in 0..BACKENDS {
            self.breaker.remove_backend(backend(number));
        }
        assert!(self.breaker.backends.is_empty());
    }
}

/// Enough for their order as text to differ from their order as numbers.
const BACKENDS: u8 = 12;

fn backend(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 80))
}

fn nth_of<V>(map: &mut BTreeMap<u64, V>, nth: usize) -> Option<(u64, V)> {
    let key = *map.keys().nth(nth.checked_rem(map.len())?)?;
    map.remove_entry(&key)
}

fn limits() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), 1..=3_u32, 4..=6_u32]
}

fn states() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Ready),
        Just(State::Starving),
        Just(State::Idle),
        (0..BACKENDS).prop_map(|number| State::Vacated(backend(number))),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        25 => Just(Op::Arrive),
        5 => Just(Op::ArriveWhileReady),
        5 => any::<usize>().prop_map(Op::Cancel),
        20 => any::<usize>().prop_map(Op::Collect),
        20 => any::<usize>().prop_map(Op::Release),
        5 => any::<(usize, bool)>().prop_map(|(nth, complains)| Op::Retry(nth, complains)),
        2 => any::<usize>().prop_map(Op::SetAside),
        7 => (0..BACKENDS).prop_map(|number| Op::Add(number, None)),
        1 => (0..BACKENDS, 1..9_u32).prop_map(|(number, limit)| Op::Add(number, Some(limit))),
        6 => (0..BACKENDS).prop_map(Op::Remove),
        1 => limits().prop_map(Op::SetContainerConcurrency),
        1 => (0..20_usize).prop_map(Op::SetQueueDepth),
        1 => (0..5_u64).prop_map(Op::Fail),
        1 => Just(Op::Recover),
        2 => (0..5_u64).prop_map(Op::Pass),
        10 => states().prop_map(Op::Watch),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_breaker_matches_the_naive_model(
        container_concurrency in limits(),
        queue_depth in 0..20_usize,
        history in prop::collection::vec(ops(), 0..300),
        closed in any::<bool>(),
        after in prop::collection::vec(ops(), 0..20),
    ) {
        let mut both = Both::new(container_concurrency, queue_depth);
        history.iter().for_each(|op| both.apply(op));
        if closed {
            both.apply(&Op::Close);
            after.iter().for_each(|op| both.apply(op));
        }
        both.end();
    }
}
