//! Model-checked races: every order in which threads can take the throttle's lock.
//!
//! The model is sound because all that threads share here is behind that lock, except for wakers, which belong to the
//! model (a waiter that is never woken shows up as a deadlock), and the budget's counter.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use shuttle::future::block_on;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};

use super::shared::BATCH;
use super::*;

mod watch;

thread_local! {
    // The model's threads are coroutines on one thread, so all of them see this.
    static MODELLED: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn another_thread_may_go_first() {
    if MODELLED.get() && !std::thread::panicking() {
        // In the model this only switches threads. Its yield would also wake the yielding thread, and so hide a
        // missing wake-up.
        thread::sleep(Duration::ZERO);
    }
}

fn in_model(scenario: impl Fn() + Send + Sync + 'static) -> impl Fn() + Send + Sync + 'static {
    move || {
        MODELLED.set(true);
        scenario();
        MODELLED.set(false);
    }
}

/// Runs the scenario in every possible order. For scenarios with few steps.
fn check_all_orders(scenario: impl Fn() + Send + Sync + 'static) {
    const TOO_MANY: usize = 200_000;
    let runner = Runner::new(DfsScheduler::new(Some(TOO_MANY), false), Config::default());
    let orders = runner.run(in_model(scenario));
    assert!((2..TOO_MANY).contains(&orders), "{orders} orders");
}

/// Runs the scenario in random orders. For scenarios with many steps.
fn check_many_orders(scenario: impl Fn() + Send + Sync + 'static) {
    const SEED: u64 = 0xACE;
    let scenario = Arc::new(in_model(scenario));
    let random = RandomScheduler::new_from_seed(SEED, 1_000);
    let again = Arc::clone(&scenario);
    Runner::new(random, Config::default()).run(move || again());
    let few_preemptions = PctScheduler::new_from_seed(SEED, 3, 1_000);
    Runner::new(few_preemptions, Config::default()).run(move || scenario());
}

fn backend(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 80))
}

fn throttle(container_concurrency: u32, backends: u8) -> Throttle {
    let limits = ThrottleLimits {
        container_concurrency,
        queue_depth: 1_000,
    };
    let throttle = Throttle::new(limits, QueueBudget::new(1_000));
    for number in 0..backends {
        throttle.add_backend(backend(number));
    }
    throttle
}

fn slot(throttle: &Throttle) -> Slot {
    block_on(throttle.acquire()).expect("the throttle is open")
}

#[track_caller]
fn assert_idle(throttle: &Throttle) {
    assert_eq!((throttle.queued(), throttle.active()), (0, 0));
    assert_eq!(throttle.shared.budget.queued(), 0);
}

fn spawn(
    throttle: &Throttle,
    body: impl FnOnce(&Throttle) + Send + 'static,
) -> thread::JoinHandle<()> {
    let throttle = throttle.clone();
    thread::spawn(move || body(&throttle))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("no thread panics");
    }
}

/// Polls `future` until it is done, at most `polls` times.
fn give_up_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = polls;
    block_on(poll_fn(|cx| match left.checked_sub(1) {
        None => Poll::Ready(None),
        Some(fewer) => {
            left = fewer;
            let outcome = future.as_mut().poll(cx).map(Some);
            if outcome.is_pending() {
                cx.waker().wake_by_ref();
            }
            outcome
        }
    }))
}

#[test]
fn no_order_of_a_release_and_arrivals_loses_a_slot() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let arrivals = [(); 2].map(|()| spawn(&throttle, |throttle| drop(slot(throttle))));
        drop(held);
        join(arrivals);
        assert_idle(&throttle);
    });
}

#[test]
fn a_grant_to_a_cancelled_waiter_goes_to_the_next_one() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let goes_away = spawn(&throttle, |throttle| {
            drop(give_up_after(1, throttle.acquire()));
        });
        let stays = spawn(&throttle, |throttle| drop(slot(throttle)));
        drop(held);
        join([goes_away, stays]);
        assert_idle(&throttle);
    });
}

#[test]
fn no_waiter_is_stranded_when_backends_come_and_go() {
    check_all_orders(|| {
        let throttle = throttle(1, 0);
        let arrives = spawn(&throttle, |throttle| drop(slot(throttle)));
        throttle.add_backend(backend(1));
        throttle.remove_backend(backend(1));
        throttle.add_backend(backend(2));
        join([arrives]);
        assert_idle(&throttle);
    });
}

#[test]
fn the_limit_holds_while_backends_come_and_go() {
    check_many_orders(|| {
        let throttle = throttle(1, 0);
        let in_use = Arc::new(Mutex::new([0_u8; 3]));
        let arrivals = [(); 4].map(|()| {
            let in_use = Arc::clone(&in_use);
            spawn(&throttle, move |throttle| {
                let slot = slot(throttle);
                let number = usize::from(slot.backend().to_string().as_bytes()[7] - b'0');
                in_use.lock()[number] += 1;
                thread::sleep(Duration::ZERO);
                assert!(in_use.lock()[number] <= 1);
                in_use.lock()[number] -= 1;
            })
        });
        for round in 0..4 {
            throttle.add_backend(backend(round % 2));
            throttle.remove_backend(backend(1));
        }
        throttle.add_backend(backend(2));
        join(arrivals);
        assert_idle(&throttle);
    });
}

#[test]
fn requests_around_the_removal_of_a_revision_are_refused() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let arrives = spawn(&throttle, |throttle| {
            let outcome = block_on(throttle.acquire());
            assert!(!matches!(outcome, Err(ThrottleError::QueueFull(_))));
        });
        let closes = spawn(&throttle, Throttle::close);
        drop(held);
        join([arrives, closes]);
        assert_idle(&throttle);
    });
}

#[test]
fn a_refused_request_is_served_once_its_backend_is_back() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let retries = spawn(&throttle, |_| {
            let again = block_on(held.retry_elsewhere(Complaint::Unreachable))
                .expect("the throttle is open");
            assert_eq!(again.backend(), backend(0));
        });
        let probes = spawn(&throttle, |throttle| {
            let aside = block_on(throttle.set_aside());
            assert_eq!(aside, [(backend(0), Complaint::Unreachable)]);
            throttle.add_backend(backend(0));
        });
        join([retries, probes]);
        assert_idle(&throttle);
    });
}

#[test]
fn a_complaint_reaches_the_prober_in_every_order() {
    check_all_orders(|| {
        let throttle = throttle(1, 1);
        let held = slot(&throttle);
        let complains = spawn(&throttle, |_| {
            held.set_aside(Complaint::Closed);
            drop(held);
        });
        let probes = spawn(&throttle, |throttle| {
            let aside = block_on(throttle.set_aside());
            assert_eq!(aside, [(backend(0), Complaint::Closed)]);
            throttle.add_backend(backend(0));
        });
        drop(slot(&throttle));
        join([complains, probes]);
        assert_idle(&throttle);
    });
}

#[test]
fn refusals_arrivals_and_cancels_keep_every_slot() {
    check_many_orders(|| {
        let throttle = throttle(1, 2);
        let prober = spawn(&throttle, |throttle| {
            let mut back = 0;
            while back < 2 {
                for (backend, _) in block_on(throttle.set_aside()) {
                    throttle.add_backend(backend);
                    back += 1;
                }
            }
        });
        let refused = [(); 2].map(|()| {
            spawn(&throttle, |throttle| {
                let again = block_on(slot(throttle).retry_elsewhere(Complaint::Closed));
                drop(again.expect("the throttle is open"));
            })
        });
        let fickle = [1, 2].map(|polls| {
            spawn(&throttle, move |throttle| {
                drop(give_up_after(polls, throttle.acquire()));
            })
        });
        let patient = spawn(&throttle, |throttle| drop(slot(throttle)));
        join(refused.into_iter().chain(fickle).chain([prober, patient]));
        assert_idle(&throttle);
        assert_eq!(throttle.ready_backends(), 2);
    });
}

#[test]
fn the_limit_over_all_revisions_holds_in_every_order() {
    check_all_orders(|| {
        let budget = QueueBudget::new(1);
        let limits = ThrottleLimits {
            container_concurrency: 1,
            queue_depth: 10,
        };
        let throttles = [(); 2].map(|()| Throttle::new(limits, Arc::clone(&budget)));
        let arrivals = throttles.each_ref().map(|throttle| {
            let budget = Arc::clone(&budget);
            spawn(throttle, move |throttle| {
                drop(give_up_after(1, throttle.acquire()));
                assert!(budget.queued() <= 1);
            })
        });
        join(arrivals);
        throttles.iter().for_each(assert_idle);
    });
}

#[test]
fn a_queue_longer_than_a_batch_is_granted_in_order_despite_new_arrivals() {
    check_many_orders(|| {
        let throttle = throttle(0, 0);
        let mut cx = Context::from_waker(Waker::noop());
        let mut waiters = Vec::new();
        for _ in 0..BATCH + 2 {
            let throttle = throttle.clone();
            let mut waiter = Box::pin(async move { throttle.acquire().await });
            assert!(waiter.as_mut().poll(&mut cx).is_pending());
            waiters.push(waiter);
        }
        let opens = spawn(&throttle, |throttle| throttle.add_backend(backend(1)));
        let comes_and_goes = spawn(&throttle, |throttle| drop(slot(throttle)));
        join([opens, comes_and_goes]);
        assert_eq!((throttle.queued(), throttle.active()), (0, BATCH + 2));
        for mut waiter in waiters {
            assert!(waiter.as_mut().poll(&mut cx).is_ready());
        }
        assert_idle(&throttle);
    });
}
