//! The breaker, one rule at a time.

use super::*;

fn backend(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 80))
}

fn draw() -> u64 {
    0
}

/// A breaker with one backend whose only slot is taken.
fn busy() -> (Breaker<char>, Grant) {
    let mut breaker = Breaker::new(1, 10);
    breaker.add_backend(backend(1), None);
    let grant = breaker.try_acquire(draw).expect("the slot is free");
    (breaker, grant)
}

fn granted(breaker: &mut Breaker<char>, ticket: Ticket) -> Grant {
    match breaker.turn(ticket) {
        Turn::Granted(grant) => grant,
        turn => panic!("{turn:?}"),
    }
}

/// Sets the backend of a slot aside, and makes its request wait for another one.
fn retry_elsewhere(
    breaker: &mut Breaker<char>,
    grant: Grant,
    waiter: char,
) -> Result<Ticket, char> {
    breaker.set_aside(&grant, Complaint::Closed);
    let retried = breaker.retry(grant, waiter, Instant::now);
    retried.map_err(|(waiter, _)| waiter)
}

#[test]
fn waiters_have_their_turn_in_order_of_arrival() {
    let (mut breaker, grant) = busy();
    let tickets = ['a', 'b', 'c'].map(|name| breaker.enqueue(name));
    breaker.release(grant);
    for (ticket, name) in tickets.into_iter().zip(['a', 'b', 'c']) {
        assert_eq!(breaker.grant_next(draw), Some(name));
        assert_eq!(breaker.grant_next(draw), None);
        let grant = granted(&mut breaker, ticket);
        assert_eq!(breaker.active(), 1);
        breaker.release(grant);
    }
    assert_eq!((breaker.queued(), breaker.active()), (0, 0));
}

#[test]
fn a_newcomer_does_not_overtake() {
    let (mut breaker, grant) = busy();
    breaker.enqueue('a');
    breaker.release(grant);
    assert!(breaker.try_acquire(draw).is_none());
    assert_eq!(breaker.grant_next(draw), Some('a'));
}

#[test]
fn a_cancelled_waiter_leaves_nothing_behind() {
    let (mut breaker, grant) = busy();
    let [gone, stays] = ['a', 'b'].map(|name| breaker.enqueue(name));
    assert_eq!(breaker.cancel(gone), Some('a'));
    assert_eq!(breaker.queued(), 1);
    breaker.release(grant);
    assert_eq!(breaker.grant_next(draw), Some('b'));
    let grant = granted(&mut breaker, stays);
    breaker.release(grant);
    assert!(breaker.granted.is_empty() && breaker.waiting.is_empty());
}

#[test]
fn a_waiter_cancelled_after_its_grant_passes_the_slot_on() {
    let (mut breaker, grant) = busy();
    let [gone, _] = ['a', 'b'].map(|name| breaker.enqueue(name));
    breaker.release(grant);
    assert_eq!(breaker.grant_next(draw), Some('a'));
    assert_eq!(breaker.cancel(gone), None);
    assert_eq!(breaker.grant_next(draw), Some('b'));
    assert_eq!(breaker.active(), 1);
}

#[test]
fn a_full_queue_refuses_until_one_leaves() {
    let mut breaker = Breaker::new(1, 2);
    let [first, _] = ['a', 'b'].map(|name| breaker.enqueue(name));
    assert_eq!(breaker.may_wait(Instant::now), Err(NotQueued::QueueFull));
    assert_eq!(breaker.cancel(first), Some('a'));
    assert_eq!(breaker.may_wait(Instant::now), Ok(()));
    breaker.set_queue_depth(0);
    assert_eq!(breaker.may_wait(Instant::now), Err(NotQueued::QueueFull));
    assert_eq!(breaker.queued(), 1);
}

#[test]
fn a_request_refused_by_its_backend_waits_in_front() {
    let (mut breaker, grant) = busy();
    breaker.enqueue('b');
    let ticket = retry_elsewhere(&mut breaker, grant, 'a').expect("the breaker is open");
    assert_eq!(breaker.take_set_aside(), [(backend(1), Complaint::Closed)]);
    assert_eq!(breaker.take_set_aside(), []);
    assert_eq!(breaker.grant_next(draw), None);
    breaker.add_backend(backend(2), None);
    assert_eq!(breaker.grant_next(draw), Some('a'));
    assert_eq!(granted(&mut breaker, ticket).backend(), backend(2));
}

#[test]
fn a_complaint_from_an_earlier_epoch_is_ignored() {
    let mut breaker = Breaker::new(2, 10);
    breaker.add_backend(backend(1), None);
    let [one, two] = [(); 2].map(|()| breaker.try_acquire(draw).expect("two slots are free"));
    let one = retry_elsewhere(&mut breaker, one, 'a').expect("the breaker is open");
    breaker.add_backend(backend(1), None);
    let two = retry_elsewhere(&mut breaker, two, 'b').expect("the breaker is open");
    assert_eq!(breaker.take_set_aside(), []);
    assert_eq!(breaker.grant_next(draw), Some('a'));
    assert_eq!(breaker.grant_next(draw), Some('b'));
    for ticket in [one, two] {
        assert_eq!(granted(&mut breaker, ticket).backend(), backend(1));
    }
}

#[test]
fn an_added_or_removed_backend_is_no_longer_set_aside() {
    let add = |breaker: &mut Breaker<char>, backend| breaker.add_backend(backend, None);
    for change in [add, Breaker::remove_backend] {
        let (mut breaker, grant) = busy();
        retry_elsewhere(&mut breaker, grant, 'a').expect("the breaker is open");
        change(&mut breaker, backend(1));
        assert_eq!(breaker.take_set_aside(), []);
    }
}

#[test]
fn one_backend_is_set_aside_once_and_keeps_its_requests() {
    let mut breaker = Breaker::<char>::new(2, 10);
    breaker.add_backend(backend(1), None);
    let [one, two] = [(); 2].map(|()| breaker.try_acquire(draw).expect("two slots are free"));
    assert!(breaker.set_aside(&one, Complaint::Vanished));
    assert!(!breaker.set_aside(&two, Complaint::Closed));
    assert_eq!(
        breaker.take_set_aside(),
        [(backend(1), Complaint::Vanished)]
    );
    assert_eq!((breaker.ready_backends(), breaker.active()), (0, 2));
    breaker.release(one);
    breaker.release(two);
    assert!(breaker.backends.is_empty());
}

#[test]
fn without_a_complaint_a_retry_may_get_the_same_backend() {
    let (mut breaker, grant) = busy();
    breaker.enqueue('b');
    let ticket = breaker
        .retry(grant, 'a', Instant::now)
        .expect("the breaker is open");
    assert_eq!(breaker.take_set_aside(), []);
    assert_eq!(breaker.grant_next(draw), Some('a'));
    assert_eq!(granted(&mut breaker, ticket).backend(), backend(1));
}

#[test]
fn closing_a_breaker_returns_all_waiters_and_keeps_taken_slots() {
    let (mut breaker, first) = busy();
    let [granted_before, waits] = ['a', 'b'].map(|name| breaker.enqueue(name));
    breaker.release(first);
    assert_eq!(breaker.grant_next(draw), Some('a'));
    assert_eq!(breaker.close().collect::<Vec<_>>(), ['b']);
    assert!(matches!(
        breaker.turn(waits),
        Turn::Refused(NotQueued::Closed)
    ));
    assert_eq!(breaker.may_wait(Instant::now), Err(NotQueued::Closed));
    let grant = granted(&mut breaker, granted_before);
    assert_eq!(retry_elsewhere(&mut breaker, grant, 'a'), Err('a'));
    assert_eq!((breaker.queued(), breaker.active()), (0, 0));
    breaker.add_backend(backend(2), None);
    assert!(breaker.try_acquire(draw).is_none());
}

#[test]
fn a_million_waiters_that_come_and_go_leave_nothing_behind() {
    const DEPTH: usize = 10_000;
    let mut breaker = Breaker::new(1, DEPTH);
    let mut tickets = std::collections::VecDeque::new();
    let measured = allocation_counter::measure(|| {
        for _ in 0..1_000_000 {
            if breaker.may_wait(Instant::now).is_err() {
                let oldest = tickets.pop_front().expect("the queue is full");
                assert_eq!(breaker.cancel(oldest), Some([0_u8; 64]));
            }
            tickets.push_back(breaker.enqueue([0; 64]));
        }
        assert_eq!(breaker.queued(), DEPTH);
        while let Some(ticket) = tickets.pop_front() {
            assert!(breaker.cancel(ticket).is_some());
        }
        tickets = Default::default();
    });
    assert!(breaker.waiting.is_empty() && breaker.granted.is_empty());
    // Waiter and ticket: twice, for half-empty tree nodes and for this test's own tickets.
    assert!(
        measured.bytes_max < 2 * (DEPTH * (64 + 8)) as u64 + 100_000,
        "{measured:?}"
    );
    assert!(measured.bytes_current <= 2_000, "{measured:?}");
}
