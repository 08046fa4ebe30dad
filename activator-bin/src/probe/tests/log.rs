//! What is logged about backends.

use super::scene::*;
use super::*;
use crate::logging::recorded::{Log, logging};

#[track_caller]
fn assert_logged(log: &Log, expected: &[&str]) {
    let backend = "revision=default/hello backend=10.0.0.1:80";
    let lines = log.lines().into_iter();
    let lines: Vec<_> = lines.map(|it| it.replace(backend, "_")).collect();
    assert_eq!(lines, expected);
}

#[tokio::test(start_paused = true)]
async fn each_change_of_state_is_logged_once() {
    let (log, _logging) = logging();
    let up = |now: &Duration| (SECOND..2 * SECOND).contains(now) || *now >= 60 * SECOND;
    let scene = Scene::tcp(move |_, now| {
        if up(&now) {
            (Duration::ZERO, ProbeOutcome::Ok)
        } else {
            (Duration::ZERO, ProbeOutcome::Refused)
        }
    });
    scene.prober.set_backends(vec![backend(1)]);
    let slot = scene.slot().await;
    scene.nothing_for(5 * SECOND).await;
    let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Unreachable)).await;
    let _again = retried.expect("in time").expect("the revision is there");
    let expected = [
        " INFO backend is not ready _ outcome=\"refused\"",
        " INFO backend is ready _ failures=199",
        " WARN backend is set aside: a request could not reach it _",
        " INFO backend is ready _ failures=87",
    ];
    assert_logged(&log, &expected);
}

#[tokio::test(start_paused = true)]
async fn a_flapping_backend_is_logged_every_few_seconds() {
    let (log, _logging) = logging();
    let settings = ProbeSettings {
        frequency: ms(10),
        ..ProbeSettings::default()
    };
    let scene = Scene::new(settings, 100, up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    let mut slot = scene.slot().await;
    let mut complaints = 0;
    while scene.start.elapsed() < ms(10_000) {
        complaints += 1;
        let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Unreachable)).await;
        slot = retried.expect("in time").expect("the revision is there");
    }
    assert!(complaints > 10);
    let lines = log.lines();
    assert!(lines.len() <= 6, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_recovery_too_early_to_be_logged_is_logged_later() {
    let (log, _logging) = logging();
    let scene = Scene::tcp(up_from(Duration::ZERO));
    scene.prober.set_backends(vec![backend(1)]);
    let slot = scene.slot().await;
    let retried = timeout(HOUR, slot.retry_elsewhere(Complaint::Closed)).await;
    let _again = retried.expect("in time").expect("the revision is there");
    let before = [
        " INFO backend is ready _",
        " WARN backend is set aside: it closed a connection instead of responding _",
    ];
    assert_logged(&log, &before);
    scene.nothing_for(10 * SECOND).await;
    assert_logged(&log, &[before[0], before[1], " INFO backend is ready _"]);
}
