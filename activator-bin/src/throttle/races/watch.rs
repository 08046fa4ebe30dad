//! Whoever waits for a state of the throttle is woken in every order. A lost wake-up shows up as a deadlock.

use super::*;

/// A request whose backend fails it.
fn is_failed_by_its_backend(held: Slot) {
    let again = block_on(held.retry_elsewhere(Complaint::Unreachable));
    drop(again.expect("the throttle is open"));
}

#[test]
fn a_request_that_finds_no_backend_is_noticed() {
    check_all_orders(|| {
        let throttle = throttle(1, 0);
        let arrives = spawn(&throttle, |throttle| drop(slot(throttle)));
        block_on(throttle.starving());
        assert_eq!(throttle.queued(), 1);
        throttle.add_backend(backend(1));
        join([arrives]);
        assert_idle(&throttle);
    });
}

#[test]
fn a_request_whose_only_backend_has_failed_is_noticed() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let retries = spawn(&throttle, |_| is_failed_by_its_backend(held));
        block_on(throttle.starving());
        throttle.add_backend(backend(1));
        join([retries]);
        assert_idle(&throttle);
    });
}

#[test]
fn a_request_that_waits_while_the_last_backend_is_removed_is_noticed() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let arrives = spawn(&throttle, |throttle| drop(slot(throttle)));
        let removes = spawn(&throttle, |throttle| throttle.remove_backend(backend(0)));
        block_on(throttle.starving());
        throttle.add_backend(backend(1));
        join([arrives, removes]);
        drop(held);
        assert_idle(&throttle);
    });
}

#[test]
fn the_end_of_the_last_request_is_noticed() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let ends = spawn(&throttle, |_| drop(held));
        let comes_and_goes = spawn(&throttle, |throttle| {
            drop(give_up_after(1, throttle.acquire()));
        });
        block_on(throttle.idle());
        join([ends, comes_and_goes]);
        block_on(throttle.idle());
        assert_idle(&throttle);
    });
}

#[test]
fn a_backend_that_is_removed_is_vacated_when_its_last_request_has_ended() {
    check_all_orders(|| {
        let throttle = throttle(0, 1);
        let held = slot(&throttle);
        let ends = spawn(&throttle, |_| drop(held));
        let comes_and_goes = spawn(&throttle, |throttle| drop(throttle.try_acquire()));
        throttle.remove_backend(backend(0));
        block_on(throttle.vacated(backend(0)));
        assert_eq!(throttle.active(), 0);
        join([ends, comes_and_goes]);
    });
}

#[test]
fn one_that_waits_in_vain_hides_nothing_from_another() {
    check_all_orders(|| {
        let throttle = throttle(0, 1);
        let held = slot(&throttle);
        let ends = spawn(&throttle, |_| drop(held));
        let gives_up = spawn(&throttle, |throttle| {
            give_up_after(1, throttle.idle());
        });
        let waits = spawn(&throttle, |throttle| block_on(throttle.idle()));
        join([ends, gives_up, waits]);
        assert_idle(&throttle);
    });
}

#[test]
fn states_are_waited_for_together() {
    check_many_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let waits = [
            spawn(&throttle, |throttle| block_on(throttle.starving())),
            spawn(&throttle, |throttle| block_on(throttle.vacated(backend(0)))),
        ];
        let arrives = spawn(&throttle, |throttle| drop(slot(throttle)));
        let ends = spawn(&throttle, |throttle| {
            throttle.remove_backend(backend(0));
            drop(held);
        });
        join(waits);
        let idles = spawn(&throttle, |throttle| block_on(throttle.idle()));
        throttle.add_backend(backend(1));
        join([arrives, ends, idles]);
        assert_idle(&throttle);
    });
}

#[test]
fn no_request_waits_once_starting_has_failed() {
    check_all_orders(|| {
        let throttle = throttle(1, 0);
        let arrivals = [(); 2].map(|()| {
            spawn(&throttle, |throttle| {
                let outcome = block_on(throttle.acquire());
                assert!(matches!(outcome, Err(ThrottleError::StartFailed(_))));
            })
        });
        throttle.set_failure(Some(Failure {
            until: Instant::now() + Duration::from_secs(3600),
            why: "exited with code 1".to_owned(),
        }));
        join(arrivals);
        assert_idle(&throttle);
    });
}

#[test]
fn a_backend_that_becomes_ready_is_noticed() {
    check_all_orders(|| {
        let throttle = throttle(1, 0);
        let waits = spawn(&throttle, |throttle| block_on(throttle.ready()));
        let comes_back = spawn(&throttle, |throttle| {
            throttle.remove_backend(backend(1));
            throttle.add_backend(backend(2));
        });
        throttle.add_backend(backend(1));
        join([waits, comes_back]);
    });
}

#[test]
fn whoever_waits_only_while_a_backend_is_ready_does_not_wait_for_one() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let arrives = spawn(&throttle, |throttle| {
            let outcome = block_on(throttle.acquire_while_ready());
            assert!(matches!(outcome, Err(ThrottleError::NotReady)));
        });
        let fails = spawn(&throttle, |_| {
            held.set_aside(Complaint::Closed);
            drop(held);
        });
        join([arrives, fails]);
        assert_eq!(give_up_after(1, throttle.starving()), None);
        assert_idle(&throttle);
    });
}
