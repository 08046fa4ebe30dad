//! Queued and active requests, and what goes on while texts are made.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reporter_core::MetricsBackend;
use reporter_metrics::Exporter;

use crate::exposition::parse;
use crate::lister::{exporter, gauges, key, samples};

/// The series of the revision `default/a`; those of its requests without their labels.
fn requests(exporter: &Exporter) -> Vec<String> {
    let lines = samples(exporter, "kn_revision_request_").into_iter();
    let label = "{k8s_namespace_name=\"default\",kn_revision_name=\"a\"}";
    lines
        .map(|line| line.replace("kn_revision_request_", "").replace(label, ""))
        .collect()
}

#[test]
fn a_request_is_queued_then_active_then_over() {
    let (exporter, lister) = exporter();
    lister.insert("default/a", "one", "one");
    let revision = exporter.revision_requests(&key("default/a"));
    assert_eq!(requests(&exporter), ["active 0", "queued 0"]);
    let waiting = revision.queue();
    let impatient = revision.queue();
    assert_eq!(requests(&exporter), ["active 0", "queued 2"]);
    drop(impatient);
    let lucky = exporter.revision_requests(&key("default/a")).activate();
    assert_eq!(requests(&exporter), ["active 1", "queued 1"]);
    let active = waiting.activate();
    assert_eq!(requests(&exporter), ["active 2", "queued 0"]);
    drop((active, lucky));
    assert_eq!(requests(&exporter), ["active 0", "queued 0"]);
}

#[test]
fn requests_in_flight_survive_the_absence_of_their_revision() {
    let (exporter, lister) = exporter();
    let mut revision_gauges = exporter.revision_gauges();
    lister.insert("default/a", "one", "one");
    let request = exporter.revision_requests(&key("default/a")).activate();
    revision_gauges.on_tick(&gauges(&[("default/a", 1.0)]));
    lister.remove("default/a");
    assert_eq!(requests(&exporter), [""; 0]);
    revision_gauges.on_tick(&[]);
    lister.insert("default/a", "two", "two");
    let back = exporter.revision_requests(&key("default/a"));
    // The concurrency was measured before it was gone.
    assert_eq!(requests(&exporter), ["active 1", "queued 0"]);
    let queued = back.queue();
    drop(request);
    assert_eq!(requests(&exporter), ["active 0", "queued 1"]);

    lister.remove("default/a");
    drop((back, queued));
    revision_gauges.on_tick(&[]);
    lister.insert("default/a", "two", "two");
    assert_eq!(requests(&exporter), [""; 0]);
}

#[test]
fn requests_counted_on_many_threads_add_up() {
    let (exporter, lister) = exporter();
    lister.insert("default/a", "one", "one");
    let kept: Vec<_> = std::thread::scope(|scope| {
        let work = || {
            let revision = exporter.revision_requests(&key("default/a"));
            for _ in 0..1_000 {
                let _over = revision.queue().activate();
                let _impatient = revision.queue();
            }
            (revision.queue(), revision.activate())
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined.map(|kept| kept.expect("no thread panics")).collect()
    });
    assert_eq!(requests(&exporter), ["active 4", "queued 4"]);
    drop(kept);
    assert_eq!(requests(&exporter), ["active 0", "queued 0"]);
}

/// Whether the text is valid and no revision has two series of one metric.
fn check_text(exporter: &Exporter) -> Result<(), String> {
    for family in parse(&exporter.render())? {
        let mut revisions = BTreeSet::new();
        for sample in &family.samples {
            let revision = sample.labels.get("kn_revision_name");
            if revision.is_some_and(|name| !revisions.insert(name)) {
                return Err(format!("a revision has two series: {family:?}"));
            }
        }
    }
    Ok(())
}

#[test]
fn texts_are_valid_while_ticks_and_changes_go_on() {
    const REVISIONS: [&str; 4] = ["default/a", "default/b", "default/c", "default/d"];
    let (exporter, lister) = exporter();
    let mut revision_gauges = exporter.revision_gauges();
    let done = AtomicBool::new(false);
    let running = || !done.load(Ordering::Relaxed);
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while running() {
                for key in REVISIONS {
                    lister.insert(key, "one", "one");
                    lister.insert(key, "two", "two");
                    lister.remove(key);
                }
            }
        });
        scope.spawn(|| {
            while running() {
                revision_gauges.on_tick(&gauges(&REVISIONS.map(|key| (key, 1.0))));
                revision_gauges.on_tick(&[]);
            }
        });
        scope.spawn(|| {
            while running() {
                for name in REVISIONS {
                    let _active = exporter.revision_requests(&key(name)).queue().activate();
                    exporter.queue().waited(Duration::ZERO);
                }
            }
        });
        let outcome = (0..200).try_for_each(|_| check_text(&exporter));
        done.store(true, Ordering::Relaxed);
        outcome
    });
    assert_eq!(outcome, Ok(()));
}
