//! Backends that pass their probes and then fail requests.

use super::scene::*;
use super::*;
use crate::throttle::Slot;

/// Complains about the backend of `slot` until the next one is not `bad`. Returns how often, and that slot.
async fn complain(mut slot: Slot, bad: SocketAddr) -> (usize, Slot) {
    let mut complaints = 0;
    while slot.backend() == bad {
        complaints += 1;
        let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Closed)).await;
        slot = retried.expect("in time").expect("the revision is there");
    }
    (complaints, slot)
}

#[tokio::test(start_paused = true)]
async fn the_only_backend_is_retried_with_growing_pauses() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    let mut slot = scene.slot().await;
    for _ in 0..6 {
        let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Closed)).await;
        slot = retried.expect("in time").expect("the revision is there");
    }
    let expected = [0, 200, 600, 1_400, 2_400, 3_400, 4_400];
    assert_eq!(scene.probed_at(backend(1)), expected);
}

#[tokio::test(start_paused = true)]
async fn beside_a_healthy_backend_it_gets_fewer_and_fewer_requests() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1), backend(2)]);
    let mut by_minute = Vec::new();
    for minute in 1..=4 {
        let mut complaints = 0;
        while scene.start.elapsed() < 60 * SECOND * minute {
            // With a limit of 1, the first one is chosen whenever it is ready.
            let (more, slot) = complain(scene.slot().await, backend(1)).await;
            complaints += more;
            tokio::time::sleep(ms(10)).await;
            drop(slot);
        }
        by_minute.push(complaints);
    }
    assert_eq!(by_minute, [9, 2, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn its_probes_take_longer_each_time() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    let mut slot = scene.slot().await;
    for _ in 0..4 {
        let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Closed)).await;
        slot = retried.expect("in time").expect("the revision is there");
    }
    let open_for: Vec<_> = scene
        .seen
        .probes
        .lock()
        .iter()
        .map(|(_, _, exchange)| exchange.open_for())
        .collect();
    assert_eq!(open_for, [20, 80, 320, 400, 400].map(ms));
}

#[tokio::test(start_paused = true)]
async fn it_is_not_left_alone_for_long_when_no_other_is_ready() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1), backend(2)]);
    while scene.start.elapsed() < 120 * SECOND {
        let (_, slot) = complain(scene.slot().await, backend(1)).await;
        tokio::time::sleep(ms(10)).await;
        drop(slot);
    }
    scene.assert_counts(1, 0, 1);
    let begin = Instant::now();
    scene.prober.set_backends(vec![backend(1)]);
    assert_eq!(scene.slot().await.backend(), backend(1));
    assert!(begin.elapsed() <= SECOND, "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_a_probe_it_is_set_aside_as_well() {
    let settings = ProbeSettings {
        probe: Probe::None,
        ..ProbeSettings::default()
    };
    let scene = Scene::new(settings, 100, up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    let mut slot = scene.slot().await;
    for _ in 0..3 {
        let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Closed)).await;
        slot = retried.expect("in time").expect("the revision is there");
    }
    assert_eq!(scene.probed_at(backend(1)), [200, 600, 1_400]);
}

#[tokio::test(start_paused = true)]
async fn running_out_of_descriptors_does_not_blame_the_backend() {
    let scene = Scene::tcp(|_, now| {
        if now < 10 * SECOND {
            (Duration::ZERO, ProbeOutcome::OutOfDescriptors)
        } else {
            (Duration::ZERO, ProbeOutcome::Ok)
        }
    });
    scene.prober.set_backends(vec![backend(1)]);
    let _slot = scene.slot().await;
    // The pause does not grow as for a dead backend.
    assert_eq!(scene.start.elapsed(), 10 * SECOND);
    assert_eq!(scene.probed_at(backend(1)).len(), 51);
}
