//! What waiting costs in memory: nothing on the fast path, nothing that stays on any other.

use std::net::SocketAddr;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use activator_bin::testing::{QueueBudget, Slot, Throttle, ThrottleLimits};

fn throttle(container_concurrency: u32, backends: u8) -> Throttle {
    let limits = ThrottleLimits {
        container_concurrency,
        queue_depth: 10_000,
    };
    let throttle = Throttle::new(limits, QueueBudget::new(10_000));
    for number in 0..backends {
        throttle.add_backend(SocketAddr::from(([10, 0, 0, number], 80)));
    }
    throttle
}

/// A slot that is there without a wait.
fn slot(throttle: &Throttle) -> Slot {
    let mut cx = Context::from_waker(Waker::noop());
    match pin!(throttle.acquire()).poll(&mut cx) {
        Poll::Ready(slot) => slot.expect("the queue is not full"),
        Poll::Pending => panic!("no slot is free"),
    }
}

#[test]
fn free_slot_costs_no_allocation() {
    for container_concurrency in [0, 1, 3, 4, 1_000] {
        let throttle = throttle(container_concurrency, 100);
        // The thread's random numbers are seeded once.
        drop(slot(&throttle));
        let measured = allocation_counter::measure(|| {
            for _ in 0..1_000 {
                let slots = [(); 10].map(|()| slot(&throttle));
                drop(slots);
            }
        });
        assert_eq!(measured.count_total, 0, "limit {container_concurrency}");
    }
}

#[test]
fn dropped_waiters_leave_no_memory() {
    const WAVE: usize = 4_000;
    let throttle = throttle(1, 2);
    let _busy = [slot(&throttle), slot(&throttle)];
    let mut cx = Context::from_waker(Waker::noop());
    // A wave of clients gives up when the one after the next comes: the queue is never empty, and at times full.
    let mut waves_of_clients = |count| {
        let mut waves = Vec::new();
        for _ in 0..count {
            let mut wave: Vec<_> = (0..WAVE).map(|_| Box::pin(throttle.acquire())).collect();
            wave.retain_mut(|wait| wait.as_mut().poll(&mut cx).is_pending());
            waves.push(wave);
            assert_eq!(throttle.queued(), (waves.len() * WAVE).min(10_000));
            if waves.len() == 3 {
                waves.remove(0);
            }
        }
    };
    let short = allocation_counter::measure(|| waves_of_clients(4));
    let long = allocation_counter::measure(|| waves_of_clients(40));
    assert_eq!(throttle.queued(), 0);
    for measured in [&short, &long] {
        // An empty queue may keep one node.
        assert!(measured.bytes_current < 2_000, "{measured:?}");
    }
    let growth = long.bytes_max as f64 / short.bytes_max as f64;
    assert!(growth < 1.05, "{short:?} {long:?}");
}
