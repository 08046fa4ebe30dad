//! The guard counts its request out wherever it is dropped.

use reporter_core::Accounting;
use reporter_runtime::InFlight;
use tokio::task::yield_now;

use crate::scene::{Scene, key};

#[tokio::test(start_paused = true)]
async fn a_request_cancelled_at_any_await_counts_out() {
    const AWAITS: usize = 5;
    let scene = Scene::start(Accounting::Snapshot);
    let name = key("a");
    for polls in 0..=AWAITS + 1 {
        let reporter = scene.reporter.clone();
        let request = tokio::spawn(async move {
            let guard = reporter.track(&key("a"));
            for _ in 0..AWAITS - 1 {
                yield_now().await;
            }
            // The body takes the guard with it.
            async move {
                yield_now().await;
                drop(guard);
            }
            .await;
        });
        for _ in 0..polls {
            yield_now().await;
        }
        let in_flight = scene.reporter.in_flight(&name).unwrap_or(0);
        assert_eq!(in_flight, u64::from((1..=AWAITS).contains(&polls)));
        request.abort();
        let cancelled = request.await.is_err();
        assert_eq!(cancelled, polls <= AWAITS);
        assert_eq!(scene.reporter.in_flight(&name).unwrap_or(0), 0);
    }
    assert_eq!(scene.reporter.unmatched_outs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_handler_panics_counts_out() {
    let scene = Scene::start(Accounting::Snapshot);
    let reporter = scene.reporter.clone();
    let request = tokio::spawn(async move {
        let _guard = reporter.track(&key("a"));
        yield_now().await;
        panic!("a bug in a handler");
    });
    assert!(request.await.unwrap_err().is_panic());
    assert_eq!(scene.reporter.in_flight(&key("a")), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_guard_may_be_dropped_on_another_thread() {
    let scene = Scene::start(Accounting::Snapshot);
    let guard = scene.track("a");
    std::thread::spawn(move || drop(guard)).join().unwrap();
    assert_eq!(scene.reporter.in_flight(&key("a")), Some(0));
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_outlives_ticks_counts_out_when_dropped() {
    let mut scene = Scene::start(Accounting::Snapshot);
    let guard = scene.track("a");
    scene.reach(2_500).await;
    drop(guard);
    scene.reach(4_001).await;
    let expected = [
        "0 first a 1/1",
        "1000 tick a 1/1",
        "2000 tick a 1/0",
        "3000 tick forgot a",
    ];
    assert_eq!(scene.seen_so_far(), expected);
    assert_eq!(scene.reporter.tracked_keys(), 0);
}

#[test]
fn a_guard_can_be_put_into_anything() {
    fn check<T: Send + Sync + Unpin + 'static>() {}
    check::<InFlight>();
}
