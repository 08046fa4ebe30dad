//! Many dead or slow backends, and their effect on others.

use super::scene::*;
use super::*;

/// The crowd never responds, not even with a refusal. All others are ready.
fn black_holes(probed: SocketAddr, _: Duration) -> (Duration, ProbeOutcome) {
    if probed.to_string().starts_with("10.1.") {
        (HOUR, ProbeOutcome::Refused)
    } else {
        (ms(20), ProbeOutcome::Ok)
    }
}

#[tokio::test(start_paused = true)]
async fn dead_backends_never_delay_other_revisions() {
    let dead = Scene::tcp(black_holes);
    dead.prober.set_backends(crowd());
    for (number, after) in [0, 100, 1_000, 10_000, 60_000].into_iter().enumerate() {
        dead.nothing_for(ms(after) - dead.start.elapsed()).await;
        let other = dead.another();
        let own = backend(number as u8);
        other.prober.set_backends(vec![own]);
        let begin = Instant::now();
        let _slot = other.slot().await;
        let took = begin.elapsed();
        assert!(took < ms(100), "{took:?} at {after} ms");
    }
    assert_eq!(dead.seen.most_parallel.load(Ordering::Relaxed), 100);
}

#[tokio::test(start_paused = true)]
async fn a_backend_among_many_dead_ones_of_its_revision_is_found() {
    let scene = Scene::tcp(black_holes);
    let mut backends = crowd();
    // The last one to be probed.
    backends.push(SocketAddr::from(([10, 2, 0, 1], 80)));
    scene.prober.set_backends(backends);
    let _slot = scene.slot().await;
    // They get their fair share a hundred at a time, and not their whole timeout.
    let most = SECOND;
    assert!(scene.start.elapsed() <= most, "{:?}", scene.start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_first_probe_after_a_backend_was_set_aside_waits_for_no_dead_ones() {
    let dead = Scene::tcp(black_holes);
    let other = dead.another();
    other.prober.set_backends(vec![backend(1)]);
    let slot = other.slot().await;
    dead.prober.set_backends(crowd());
    dead.nothing_for(60 * SECOND).await;
    let begin = Instant::now();
    let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Unreachable)).await;
    let _again = retried.expect("in time").expect("the revision is there");
    assert!(begin.elapsed() < ms(100), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn every_one_of_many_dead_backends_is_probed_again_and_again() {
    let scene = Scene::tcp(black_holes);
    scene.prober.set_backends(crowd());
    scene.nothing_for(120 * SECOND).await;
    for backend in crowd() {
        let probes = scene.probed_at(backend).len();
        assert!(probes >= 3, "{backend} was probed {probes} times");
    }
}
