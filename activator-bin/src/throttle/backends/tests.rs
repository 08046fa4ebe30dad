//! The choice of backends, as tables, and backends that change under load.

use std::collections::BTreeMap;

use super::*;

fn backend(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number as u8], 80))
}

fn backends(container_concurrency: u32, numbers: impl IntoIterator<Item = usize>) -> Backends {
    let mut backends = Backends::new(container_concurrency);
    for number in numbers {
        backends.add(backend(number), None);
    }
    backends
}

fn never() -> u64 {
    panic!("nothing is left to chance here")
}

/// Takes all free slots.
fn picks(backends: &mut Backends) -> Vec<Taken> {
    std::iter::from_fn(|| backends.take(never)).collect()
}

fn numbers(taken: &[Taken]) -> Vec<u8> {
    let number = |taken: &Taken| match taken.address.ip() {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(_) => 0,
    };
    taken.iter().map(number).collect()
}

/// Checks the order in which all slots of these backends are taken.
fn check(container_concurrency: u32, added: &[usize], expected: &[u8]) {
    let mut backends = backends(container_concurrency, added.iter().copied());
    let taken = picks(&mut backends);
    assert_eq!(numbers(&taken), expected, "{container_concurrency} each");
    assert_eq!(backends.in_flight(), expected.len());
    taken.into_iter().for_each(|taken| backends.release(taken));
    assert_eq!(backends.in_flight(), 0);
}

#[test]
fn up_to_a_limit_of_three_the_first_free_one_is_chosen() {
    check(1, &[], &[]);
    check(1, &[3, 1, 2], &[1, 2, 3]);
    check(2, &[2, 1], &[1, 1, 2, 2]);
    // As text, 10.0.0.10 comes before 10.0.0.9.
    check(3, &[9, 10], &[10, 10, 10, 9, 9, 9]);
}

#[test]
fn above_three_they_take_turns() {
    check(4, &[1], &[1, 1, 1, 1]);
    check(4, &[2, 1], &[1, 2, 1, 2, 1, 2, 1, 2]);
    check(5, &[9, 10], &[10, 9, 10, 9, 10, 9, 10, 9, 10, 9]);
}

#[test]
fn the_capacity_is_the_limit_times_the_ready_backends() {
    for (container_concurrency, ready, capacity) in [
        (1, 0, 0),
        (1, 5, 5),
        (3, 1, 3),
        (10, 3, 30),
        (10, 10, 100),
        (42, 6, 252),
        (1000, 2, 2000),
    ] {
        let mut backends = backends(container_concurrency, 0..ready);
        assert_eq!(picks(&mut backends).len(), capacity, "{ready} backends");
    }
}

#[test]
fn the_first_free_one_is_found_again_after_a_release() {
    let mut backends = backends(1, 1..=100);
    let mut taken = picks(&mut backends);
    let seventieth = taken.remove(69);
    let address = seventieth.address;
    backends.release(seventieth);
    assert_eq!(backends.take(never).map(|t| t.address), Some(address));
    assert!(backends.take(never).is_none());
}

#[test]
fn round_robin_continues_when_backends_come_and_go() {
    let mut backends = backends(4, [2, 4, 6]);
    let mut turn = || backends.take(never).map(|taken| numbers(&[taken])[0]);
    assert_eq!([turn(), turn()], [Some(2), Some(4)]);
    backends.add(backend(3), None);
    let mut turn = || backends.take(never).map(|taken| numbers(&[taken])[0]);
    assert_eq!(turn(), Some(6));
    backends.remove(backend(2));
    let mut turn = || backends.take(never).map(|taken| numbers(&[taken])[0]);
    assert_eq!([turn(), turn()], [Some(3), Some(4)]);
    backends.remove(backend(4));
    backends.add(backend(5), None);
    let mut turn = || backends.take(never).map(|taken| numbers(&[taken])[0]);
    assert_eq!([turn(), turn(), turn()], [Some(5), Some(6), Some(3)]);
}

#[test]
fn a_full_one_is_passed_over() {
    let mut backends = backends(4, [1, 2, 3]);
    let taken = picks(&mut backends);
    assert_eq!(taken.len(), 12);
    for taken in taken
        .into_iter()
        .filter(|taken| taken.address != backend(2))
    {
        backends.release(taken);
    }
    assert_eq!(numbers(&picks(&mut backends)), [1, 3, 1, 3, 1, 3, 1, 3]);
}

#[test]
fn without_a_limit_the_less_loaded_of_two_is_chosen() {
    let half = u64::from(u32::MAX / 2);
    // The ranks that a draw selects out of three: its lower half selects the first, its upper half the second of the
    // rest.
    for (draw, loads, expected) in [
        (0, [0, 0, 0], 1),
        (half, [0, 0, 0], 2),
        (u64::from(u32::MAX), [0, 0, 0], 3),
        (0, [1, 0, 0], 2),
        (u64::MAX << 32, [1, 1, 0], 3),
        (u64::MAX << 32, [1, 0, 1], 1),
        (half, [0, 1, 5], 1),
        (u64::MAX, [9, 3, 4], 2),
    ] {
        let mut backends = backends(0, 1..=3);
        for (index, load) in loads.into_iter().enumerate() {
            backends.known[index].in_flight = load;
        }
        let taken = backends.take(|| draw);
        let number = taken.map(|taken| numbers(&[taken])[0]);
        assert_eq!(number, Some(expected), "{draw:#x} {loads:?}");
    }
}

#[test]
fn without_a_limit_the_load_is_even() {
    let mut backends = backends(0, 1..=10);
    let mut state = 1_u64;
    let mut draw = || {
        // A mixed Weyl sequence: even enough to stand in for chance.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 31)
    };
    let mut loads = BTreeMap::<SocketAddr, usize>::new();
    for _ in 0..10_000 {
        let taken = backends.take(&mut draw).expect("there is no limit");
        *loads.entry(taken.address).or_default() += 1;
    }
    assert_eq!(loads.len(), 10);
    for (address, load) in loads {
        assert!((990..=1010).contains(&load), "{address} has {load}");
    }
}

#[test]
fn a_lone_backend_without_a_limit_needs_no_draw() {
    let mut backends = backends(0, [1]);
    for _ in 0..1_000 {
        let _ = backends.take(never).expect("there is no limit");
    }
    assert_eq!(backends.in_flight(), 1_000);
}

#[test]
fn a_removed_backend_is_forgotten_after_its_last_request() {
    let mut backends = backends(2, [1]);
    let taken = picks(&mut backends);
    assert!(backends.remove(backend(1)));
    assert!(!backends.remove(backend(1)));
    assert_eq!((backends.ready(), backends.in_flight()), (0, 2));
    for taken in taken {
        assert_eq!(backends.known.len(), 1);
        backends.release(taken);
    }
    assert_eq!((backends.known.len(), backends.in_flight()), (0, 0));
}

#[test]
fn a_backend_added_again_still_has_its_old_requests() {
    let mut backends = backends(2, [1, 2]);
    let mut taken = picks(&mut backends);
    backends.remove(backend(1));
    backends.add(backend(1), None);
    assert!(backends.take(never).is_none());
    backends.release(taken.remove(0));
    let again = picks(&mut backends);
    assert_eq!(numbers(&again), [1]);
    for taken in taken.into_iter().chain(again) {
        backends.release(taken);
    }
    assert_eq!(picks(&mut backends).len(), 4);
}

#[test]
fn a_limit_can_be_changed_under_load() {
    let mut backends = backends(2, [1]);
    let mut taken = picks(&mut backends);
    backends.set_container_concurrency(1);
    backends.release(taken.remove(0));
    assert!(backends.take(never).is_none(), "one is still in flight");
    backends.release(taken.remove(0));
    assert_eq!(picks(&mut backends).len(), 1);
    backends.set_container_concurrency(5);
    assert_eq!(picks(&mut backends).len(), 4);
    backends.set_container_concurrency(0);
    assert!(backends.take(never).is_some());
}

#[test]
fn a_backend_may_have_a_limit_of_its_own() {
    for container_concurrency in [1, 10] {
        let mut backends = Backends::new(container_concurrency);
        backends.add(backend(1), Some(3));
        let mut taken = picks(&mut backends);
        assert_eq!(taken.len(), 3, "{container_concurrency}");
        backends.add(backend(1), Some(5));
        assert_eq!(picks(&mut backends).len(), 2);
        backends.add(backend(1), Some(2));
        backends.release(taken.remove(0));
        assert!(backends.take(never).is_none(), "four are in flight");
        backends.add(backend(1), None);
        let room = usize::try_from(container_concurrency).expect("it is small");
        assert_eq!(picks(&mut backends).len(), room.saturating_sub(4));
    }
    let mut unlimited = Backends::new(0);
    unlimited.add(backend(1), Some(1));
    assert!((0..9).all(|_| unlimited.take(never).is_some()));
}
