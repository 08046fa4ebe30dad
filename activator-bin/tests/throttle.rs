//! The throttle as the proxy sees it: on tokio, from one thread and from several.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use activator_bin::testing::{
    Complaint, QueueBound, QueueBudget, Slot, Throttle, ThrottleError, ThrottleLimits,
};
use parking_lot::Mutex;
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::timeout;

/// Far beyond what anything here takes.
const BOUND: Duration = Duration::from_secs(10);

fn backend(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 80))
}

fn throttle(container_concurrency: u32, queue_depth: usize) -> Throttle {
    throttle_within(
        container_concurrency,
        queue_depth,
        &QueueBudget::new(1_000_000),
    )
}

fn throttle_within(
    container_concurrency: u32,
    queue_depth: usize,
    budget: &Arc<QueueBudget>,
) -> Throttle {
    let limits = ThrottleLimits {
        container_concurrency,
        queue_depth,
    };
    Throttle::new(limits, Arc::clone(budget))
}

type Answer = Result<Slot, ThrottleError>;

/// A request in a task of its own, in the queue (or answered) when this returns.
async fn arrive(throttle: &Throttle) -> JoinHandle<Answer> {
    let own = throttle.clone();
    let request = tokio::spawn(async move { own.acquire().await });
    yield_now().await;
    request
}

async fn arrive_all(throttle: &Throttle, count: usize) -> Vec<JoinHandle<Answer>> {
    let mut requests = Vec::new();
    for _ in 0..count {
        requests.push(arrive(throttle).await);
    }
    requests
}

async fn answer(request: JoinHandle<Answer>) -> Answer {
    let answered = timeout(BOUND, request).await;
    answered.expect("in time").expect("no request panics")
}

#[tokio::test]
async fn waiters_are_served_fifo_within_the_limit() {
    let throttle = throttle(3, 500);
    let order = Arc::new(Mutex::new(Vec::new()));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut requests = JoinSet::new();
    for number in 0..500 {
        let (own, order) = (throttle.clone(), Arc::clone(&order));
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        requests.spawn(async move {
            let _slot = own.acquire().await.expect("room for all");
            order.lock().push(number);
            most.fetch_max(
                running.fetch_add(1, Ordering::Relaxed) + 1,
                Ordering::Relaxed,
            );
            yield_now().await;
            running.fetch_sub(1, Ordering::Relaxed);
        });
        yield_now().await;
    }
    assert_eq!((throttle.queued(), throttle.active()), (500, 0));
    throttle.add_backend(backend(1));
    timeout(BOUND, requests.join_all()).await.expect("in time");
    assert!(order.lock().iter().copied().eq(0..500));
    assert_eq!(most.load(Ordering::Relaxed), 3);
    assert_eq!((throttle.queued(), throttle.active()), (0, 0));
}

#[tokio::test]
async fn requests_beyond_queue_depth_are_refused() {
    let throttle = throttle(1, 50);
    let requests = arrive_all(&throttle, 100).await;
    assert_eq!(throttle.queued(), 50);
    let (waiting, refused) = requests.split_at(50);
    assert!(waiting.iter().all(|request| !request.is_finished()));
    assert!(refused.iter().all(JoinHandle::is_finished));
    for request in requests.into_iter().skip(50) {
        let error = answer(request).await.expect_err("the queue is full");
        assert_eq!(error, ThrottleError::QueueFull(QueueBound::QueueDepth));
        assert_eq!(error.to_string(), "pending request queue full");
    }
}

#[tokio::test]
async fn limit_over_all_revisions_refuses_the_last() {
    let budget = QueueBudget::new(3);
    let [one, other] = [(); 2].map(|()| throttle_within(1, 2, &budget));
    let waiting = arrive_all(&one, 2).await;
    let first = arrive(&other).await;
    let second = arrive(&other).await;
    assert_eq!(
        answer(second).await.expect_err("three wait already"),
        ThrottleError::QueueFull(QueueBound::MaxQueuedRequests)
    );
    one.close();
    for request in waiting {
        assert!(answer(request).await.is_err());
    }
    let third = arrive(&other).await;
    other.add_backend(backend(1));
    for request in [first, third] {
        drop(answer(request).await.expect("it waited for its turn"));
    }
    let another = throttle_within(1, 4, &budget);
    let _waiting = arrive_all(&another, 4).await;
    assert_eq!(another.queued(), 3);
}

#[tokio::test]
async fn close_fails_waiters_and_newcomers() {
    let throttle = throttle(1, 10);
    throttle.add_backend(backend(1));
    let held = throttle.acquire().await.expect("a free slot");
    let waiting = arrive_all(&throttle, 3).await;
    throttle.close();
    for request in waiting {
        assert_eq!(
            answer(request).await.err(),
            Some(ThrottleError::RevisionGone)
        );
    }
    let late = throttle.acquire().await;
    assert_eq!(late.err(), Some(ThrottleError::RevisionGone));
    assert_eq!((throttle.queued(), throttle.active()), (0, 1));
    drop(held);
    assert!(throttle.try_acquire().is_none());
    assert_eq!(throttle.active(), 0);
}

#[tokio::test]
async fn dropped_waiter_leaves_the_queue() {
    let throttle = throttle(1, 2);
    throttle.add_backend(backend(1));
    let held = throttle.acquire().await.expect("a free slot");
    let [gone, stays] = [arrive(&throttle).await, arrive(&throttle).await];
    gone.abort();
    assert!(gone.await.expect_err("it was aborted").is_cancelled());
    assert_eq!(throttle.queued(), 1);
    drop(held);
    drop(answer(stays).await.expect("its turn"));
    assert_eq!((throttle.queued(), throttle.active()), (0, 0));
}

#[tokio::test]
async fn waiter_dropped_on_its_turn_passes_the_slot_on() {
    let throttle = throttle(1, 2);
    throttle.add_backend(backend(1));
    let held = throttle.acquire().await.expect("a free slot");
    let [gone, stays] = [arrive(&throttle).await, arrive(&throttle).await];
    drop(held);
    // It has been granted the slot, and has not run since.
    assert_eq!((throttle.queued(), throttle.active()), (1, 1));
    gone.abort();
    drop(answer(stays).await.expect("its turn"));
    assert_eq!((throttle.queued(), throttle.active()), (0, 0));
}

#[tokio::test]
async fn unsent_request_goes_elsewhere_before_later_ones() {
    let throttle = throttle(1, 1);
    throttle.add_backend(backend(1));
    let first = throttle.acquire().await.expect("a free slot");
    let later = arrive(&throttle).await;
    let retried = tokio::spawn(first.retry_elsewhere(Complaint::Unreachable));
    yield_now().await;
    let aside = throttle.set_aside().await;
    assert_eq!(aside, [(backend(1), Complaint::Unreachable)]);
    // The queue was full, but not for one that was admitted before.
    assert_eq!((throttle.queued(), throttle.active()), (2, 0));
    throttle.add_backend(backend(2));
    let slot = answer(retried).await.expect("its turn");
    assert_eq!(slot.backend(), backend(2));
    assert!(!later.is_finished());
    drop(slot);
    drop(answer(later).await.expect("its turn"));
}

#[tokio::test]
async fn unsent_request_takes_a_free_slot_elsewhere() {
    let throttle = throttle(0, 10);
    throttle.add_backend(backend(1));
    let slot = throttle.acquire().await.expect("there is no limit");
    throttle.add_backend(backend(2));
    let slot = slot
        .retry_elsewhere(Complaint::Unreachable)
        .await
        .expect("there is no limit");
    assert_eq!(slot.backend(), backend(2));
    assert_eq!((throttle.ready_backends(), throttle.active()), (1, 1));
}

#[tokio::test]
async fn unrepeatable_request_sets_its_backend_aside() {
    let throttle = throttle(1, 10);
    throttle.add_backend(backend(1));
    let slot = throttle.acquire().await.expect("a free slot");
    slot.set_aside(Complaint::Closed);
    slot.set_aside(Complaint::Vanished);
    let aside = throttle.set_aside().await;
    assert_eq!(aside, [(backend(1), Complaint::Closed)]);
    assert_eq!((throttle.ready_backends(), throttle.active()), (0, 1));
    // It is back, and what was wrong before says nothing against it.
    throttle.add_backend(backend(1));
    slot.set_aside(Complaint::Closed);
    assert_eq!(throttle.ready_backends(), 1);
    assert!(throttle.try_acquire().is_none(), "its one slot is taken");
    drop(slot);
    assert!(throttle.try_acquire().is_some());
}

#[tokio::test]
async fn raised_limit_wakes_waiters() {
    let throttle = throttle(1, 200);
    throttle.add_backend(backend(1));
    let mut requests = arrive_all(&throttle, 200).await;
    assert_eq!((throttle.queued(), throttle.active()), (199, 1));
    throttle.set_limits(ThrottleLimits {
        container_concurrency: 150,
        queue_depth: 0,
    });
    assert_eq!((throttle.queued(), throttle.active()), (50, 150));
    let mut slots = Vec::new();
    for request in requests.drain(..150) {
        slots.push(answer(request).await.expect("its turn"));
    }
    assert!(requests.iter().all(|request| !request.is_finished()));
}

/// Counts how often it wakes.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn last_poller_is_woken() {
    let throttle = throttle(1, 10);
    let bells = [(); 2].map(|()| Arc::new(Bell::default()));
    let mut wait = pin!(throttle.acquire());
    for bell in &bells {
        let waker = Waker::from(Arc::clone(bell));
        let mut cx = Context::from_waker(&waker);
        assert!(wait.as_mut().poll(&mut cx).is_pending());
    }
    throttle.add_backend(backend(1));
    let rings = bells.map(|bell| bell.0.load(Ordering::Relaxed));
    assert_eq!(rings, [0, 1]);
}

/// What the requests on each backend see of each other.
#[derive(Default)]
struct Load {
    now: Mutex<HashMap<SocketAddr, usize>>,
    served: AtomicUsize,
}

impl Load {
    async fn serve(&self, slot: &Slot, limit: usize) {
        let now = {
            let mut loads = self.now.lock();
            let load = loads.entry(slot.backend()).or_default();
            *load += 1;
            *load
        };
        assert!(now <= limit, "{now} at once on {:?}", slot.backend());
        yield_now().await;
        *self.now.lock().entry(slot.backend()).or_default() -= 1;
        self.served.fetch_add(1, Ordering::Relaxed);
    }
}

/// As the proxy does it: a current-thread runtime per worker, and another thread that changes the backends.
#[test]
fn several_runtimes_share_a_throttle() {
    const WORKERS: usize = 4;
    const REQUESTS: usize = 500;
    const LIMIT: u32 = 2;
    let throttle = throttle(LIMIT, WORKERS * REQUESTS);
    let load = Arc::new(Load::default());
    let worker = |number: usize| {
        let (throttle, load) = (throttle.clone(), Arc::clone(&load));
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let mut requests = JoinSet::new();
                for request in 0..REQUESTS {
                    let (throttle, load) = (throttle.clone(), Arc::clone(&load));
                    requests.spawn(async move {
                        if (request + number).is_multiple_of(5) {
                            // A client that does not wait long: it leaves at any moment, or not at all.
                            let patience = Duration::from_micros(request as u64);
                            let _ = timeout(patience, throttle.acquire()).await;
                            return;
                        }
                        let acquired = timeout(BOUND, throttle.acquire()).await;
                        let mut slot = acquired.expect("in time").expect("room for all");
                        if request % 50 == 1 {
                            slot = slot
                                .retry_elsewhere(Complaint::Unreachable)
                                .await
                                .expect("the revision is there");
                        }
                        load.serve(&slot, LIMIT as usize).await;
                    });
                }
                while let Some(request) = requests.join_next().await {
                    request.expect("no request fails");
                }
            });
        }
    };
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| std::thread::spawn(worker(number)))
        .collect();
    let mut round = 0_u8;
    while workers.iter().any(|worker| !worker.is_finished()) {
        round = (round + 1) % 3;
        throttle.add_backend(backend(round));
        throttle.remove_backend(backend((round + 1) % 3));
        throttle.add_backend(backend(3));
        std::thread::yield_now();
    }
    for worker in workers {
        worker.join().expect("no worker fails");
    }
    assert_eq!((throttle.queued(), throttle.active()), (0, 0));
    assert_eq!(
        load.served.load(Ordering::Relaxed),
        WORKERS * REQUESTS * 4 / 5
    );
}
