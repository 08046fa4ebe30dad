//! Queued and active requests, and changes during scrapes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reporter_core::MetricsBackend;
use reporter_metrics::{Exporter, RevisionRequests};

use crate::exposition::parse;
use crate::lister::{exporter, key, report};

/// The requests of a revision.
fn requests(key: &str, queued: usize, active: usize) -> RevisionRequests {
    RevisionRequests {
        key: self::key(key),
        queued,
        active,
    }
}

#[test]
fn each_text_has_only_the_requests_of_its_scrape() {
    let (exporter, _lister) = exporter();
    let check = |all: Vec<RevisionRequests>, expected: &[&str]| {
        let text = exporter.render(all);
        parse(&text).expect("the text is valid");
        let mut lines: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("kn_revision_request_"))
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
    };
    check(
        vec![requests("default/a", 2, 1), requests("other/b", 0, 0)],
        &[
            "active{k8s_namespace_name=\"default\",kn_revision_name=\"a\"} 1",
            "active{k8s_namespace_name=\"other\",kn_revision_name=\"b\"} 0",
            "queued{k8s_namespace_name=\"default\",kn_revision_name=\"a\"} 2",
            "queued{k8s_namespace_name=\"other\",kn_revision_name=\"b\"} 0",
        ],
    );
    check(
        vec![requests("default/a", 0, 3)],
        &[
            "active{k8s_namespace_name=\"default\",kn_revision_name=\"a\"} 3",
            "queued{k8s_namespace_name=\"default\",kn_revision_name=\"a\"} 0",
        ],
    );
    check(Vec::new(), &[]);
}

const REVISIONS: [&str; 4] = ["default/a", "default/b", "default/c", "default/d"];

/// Whether the text is valid and no revision has two series of one metric.
fn check_text(exporter: &Exporter) -> Result<(), String> {
    let all = REVISIONS.map(|key| requests(key, 1, 1));
    for family in parse(&exporter.render(all))? {
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
                revision_gauges.on_tick(&report(&REVISIONS.map(|key| (key, 1.0))));
                revision_gauges.on_tick(&report(&[]));
            }
        });
        scope.spawn(|| {
            while running() {
                exporter.queue().waited(Duration::ZERO);
            }
        });
        let outcome = (0..200).try_for_each(|_| check_text(&exporter));
        done.store(true, Ordering::Relaxed);
        outcome
    });
    assert_eq!(outcome, Ok(()));
}
