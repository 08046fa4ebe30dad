//! The prober in paused time, with scripted backends.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use tokio::time::{Instant, timeout};

use super::exchange::Exchange;
use super::*;
use crate::throttle::Complaint;

mod cluster;
mod fair;
mod histories;
mod log;
mod relapse;
mod scene;
mod via;

use scene::*;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn outcomes_have_the_names_of_their_metric() {
    let outcomes = [
        ProbeOutcome::Ok,
        ProbeOutcome::Refused,
        ProbeOutcome::Timeout,
        ProbeOutcome::Status,
        ProbeOutcome::Body,
        ProbeOutcome::OutOfDescriptors,
    ];
    let names = [
        "ok",
        "refused",
        "timeout",
        "status",
        "body",
        "out_of_descriptors",
    ];
    assert_eq!(outcomes.map(ProbeOutcome::as_str), names);
}

#[tokio::test(start_paused = true)]
async fn the_first_good_probe_releases_a_waiting_request() {
    let scene = Scene::tcp(up_from(ms(450)));
    scene.prober.set_backends(vec![backend(1)]);
    let slot = scene.slot().await;
    assert_eq!(slot.backend(), backend(1));
    assert_eq!(scene.start.elapsed(), ms(450));
    let every_5_ms = (0..=450).step_by(5);
    assert!(scene.probed_at(backend(1)).into_iter().eq(every_5_ms));
    let outcomes = scene.seen.outcomes.lock();
    let (last, earlier) = outcomes.split_last().expect("there were some");
    assert_eq!(*last, ProbeOutcome::Ok);
    assert!(earlier.iter().all(|&it| it == ProbeOutcome::Refused));
}

#[tokio::test(start_paused = true)]
async fn a_ready_backend_is_not_probed_again() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    let _slot = scene.slot().await;
    scene.nothing_for(HOUR).await;
    assert_eq!(scene.probed_at(backend(1)), [0]);
    scene.assert_counts(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_backend_behind_a_slow_link_is_found_ready() {
    // How long a probe takes, and when the backend is ready. A probe that times out starts the next longer one. On
    // top of its timeout a probe has the 20 ms for which a connection must stay open.
    for (takes, ready_after) in [
        (299, 299),
        (400, 320 + 400),
        (1_000, 320 + 620 + 1_000),
        (5_000, 320 + 620 + 1_220 + 2_420 + 4_820 + 5_000),
    ] {
        let scene = Scene::tcp(move |_, _| (ms(takes), ProbeOutcome::Ok));
        scene.prober.set_backends(vec![backend(1)]);
        let _slot = scene.slot().await;
        assert_eq!(scene.start.elapsed(), ms(ready_after), "{takes} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_hung_is_found_soon_after_it_is_ready() {
    const HUNG: Duration = Duration::from_secs(30);
    let scene = Scene::tcp(|_, now| {
        if now < HUNG {
            (HOUR, ProbeOutcome::Refused)
        } else {
            (Duration::ZERO, ProbeOutcome::Ok)
        }
    });
    scene.prober.set_backends(vec![backend(1)]);
    let _slot = scene.slot().await;
    let found = scene.start.elapsed() - HUNG;
    assert!(found <= SECOND + ms(300), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_backend_is_probed_less_often_but_often_enough() {
    let scene = Scene::tcp(|_, _| (Duration::ZERO, ProbeOutcome::Refused));
    scene.prober.set_backends(vec![backend(1)]);
    scene.nothing_for(HOUR).await;
    let probes = scene.probed_at(backend(1));
    let pauses: Vec<u64> = probes.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(pauses.is_sorted());
    let after = |time| {
        probes
            .iter()
            .position(|&at| at >= time)
            .map(|at| pauses[at])
    };
    assert_eq!([0, 2_900, 3_000].map(after), [5, 5, 200].map(Some));
    assert_eq!(pauses.last(), Some(&1_000));
}

#[tokio::test(start_paused = true)]
async fn slow_backends_delay_no_other() {
    // There is one place for probes with the short timeout, which longer ones do not take.
    let scene = Scene::new(ProbeSettings::default(), 2, |probed, _| {
        if probed == backend(1) {
            (HOUR, ProbeOutcome::Refused)
        } else {
            (Duration::ZERO, ProbeOutcome::Ok)
        }
    });
    scene.prober.set_backends(vec![backend(1)]);
    scene.nothing_for(60 * SECOND).await;
    let backends: Vec<_> = (1..100).map(backend).collect();
    scene.prober.set_backends(backends);
    let before = Instant::now();
    let mut slots = Vec::new();
    for _ in 2..100 {
        slots.push(scene.slot().await);
    }
    // At most every eighth turn is one of the slow backend's, which then takes its fair share of 40 ms.
    assert!(before.elapsed() <= ms(600), "{:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn parallel_probes_are_bounded() {
    let scene = Scene::new(ProbeSettings::default(), 10, |_, _| {
        (HOUR, ProbeOutcome::Refused)
    });
    let backends: Vec<_> = (0..200).map(backend).collect();
    scene.prober.set_backends(backends);
    scene.nothing_for(60 * SECOND).await;
    assert_eq!(scene.seen.most_parallel.load(Ordering::Relaxed), 10);
    for number in 0..200 {
        assert!(!scene.probed_at(backend(number)).is_empty(), "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_set_aside_is_probed_until_it_is_ready_again() {
    let down = Arc::new(Mutex::new(false));
    let is_down = Arc::clone(&down);
    let scene = Scene::tcp(move |_, _| {
        if *is_down.lock() {
            (Duration::ZERO, ProbeOutcome::Refused)
        } else {
            (Duration::ZERO, ProbeOutcome::Ok)
        }
    });
    scene.prober.set_backends(vec![backend(1)]);
    let slot = scene.slot().await;
    scene.nothing_for(10 * SECOND).await;

    *down.lock() = true;
    let retried = timeout(ms(500), slot.retry_elsewhere(Complaint::Unreachable)).await;
    assert!(retried.is_err(), "its only backend is down");
    assert_eq!(scene.probed_at(backend(1)), [0, 10_000, 10_200, 10_400]);
    scene.assert_counts(0, 0, 1);

    *down.lock() = false;
    assert_eq!(scene.slot().await.backend(), backend(1));
    assert_eq!(scene.start.elapsed(), ms(10_600));
    scene.assert_counts(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_is_removed_while_it_is_probed_never_joins() {
    let scene = Scene::tcp(|_, _| (ms(100), ProbeOutcome::Ok));
    scene.prober.set_backends(vec![backend(1), backend(2)]);
    scene.nothing_for(ms(50)).await;
    scene.assert_counts(0, 2, 0);
    scene.prober.set_backends(vec![backend(2)]);
    let slot = scene.slot().await;
    assert_eq!(slot.backend(), backend(2));
    scene.nothing_for(HOUR).await;
    scene.assert_counts(1, 0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_removed_ready_backend_leaves_at_once() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene
        .prober
        .set_backends(vec![backend(1), backend(1), backend(2)]);
    let slots = [scene.slot().await, scene.slot().await];
    scene.prober.set_backends(vec![backend(2)]);
    scene.nothing_for(ms(1)).await;
    assert_eq!(scene.throttle.ready_backends(), 1);
    drop(slots);
    assert_eq!(scene.slot().await.backend(), backend(2));
    assert_eq!(scene.probed_at(backend(2)), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_removed_backend_is_gone_when_the_call_returns() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    drop(scene.slot().await);
    scene.prober.set_backends(Vec::new());
    assert_eq!(scene.throttle.ready_backends(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_backend_removed_and_added_again_is_probed_again() {
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    drop(scene.slot().await);
    scene.prober.set_backends(Vec::new());
    scene.prober.set_backends(vec![backend(1)]);
    assert_eq!(scene.slot().await.backend(), backend(1));
    assert_eq!(scene.probed_at(backend(1)), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn without_a_probe_a_backend_is_ready_when_it_is_listed() {
    let settings = ProbeSettings {
        probe: Probe::None,
        ..ProbeSettings::default()
    };
    let scene = Scene::new(settings, 100, up_from(5 * SECOND));
    scene.prober.set_backends(vec![backend(1)]);
    let slot = scene.slot().await;
    assert_eq!(scene.start.elapsed(), Duration::ZERO);
    assert!(scene.probed_at(backend(1)).is_empty());

    let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Unreachable)).await;
    let _again = retried.expect("in time").expect("the revision is there");
    assert!(scene.start.elapsed() >= 5 * SECOND);
    let probes = scene.seen.probes.lock();
    assert!(
        probes
            .iter()
            .all(|(_, _, exchange)| matches!(exchange, Exchange::Tcp { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn new_settings_apply_to_backends_that_are_not_ready() {
    let settings = ProbeSettings {
        probe: Probe::Knative,
        ..ProbeSettings::default()
    };
    let scene = Scene::new(settings, 100, |probed, _| {
        if probed == backend(1) {
            (Duration::ZERO, ProbeOutcome::Ok)
        } else {
            (Duration::ZERO, ProbeOutcome::Status)
        }
    });
    scene.prober.set_backends(vec![backend(1), backend(2)]);
    let _first = scene.slot().await;
    scene.nothing_for(SECOND).await;
    scene.assert_counts(1, 1, 0);
    scene.prober.set_settings(ProbeSettings {
        probe: Probe::None,
        ..settings
    });
    assert_eq!(scene.slot().await.backend(), backend(2));
    assert_eq!(scene.start.elapsed(), SECOND);
    assert_eq!(scene.probed_at(backend(1)), [0]);
}

#[tokio::test(start_paused = true)]
async fn probing_ends_with_the_prober() {
    let scene = Scene::tcp(up_from(SECOND));
    scene.prober.set_backends(vec![backend(1)]);
    scene.nothing_for(ms(502)).await;
    let Scene {
        throttle,
        prober,
        seen,
        ..
    } = scene;
    drop(prober);
    let before = seen.probes.lock().len();
    assert!(timeout(HOUR, throttle.acquire()).await.is_err());
    assert_eq!(seen.probes.lock().len(), before);
    assert_eq!(seen.parallel.load(Ordering::Relaxed), 0);
}
