//! The concurrency gauges after ticks and changes of the lister.

use reporter_core::MetricsBackend;

use crate::lister::{exporter, report, samples};

use Step::{Gone, Known, Tick};

enum Step {
    /// There is a revision of that service, and a configuration of the same name.
    Known(&'static str, &'static str),
    Gone(&'static str),
    Tick(&'static [(&'static str, f64)]),
}

/// After `steps`, the concurrency gauges are `expected`: revision, service, value.
#[track_caller]
fn check(steps: &[Step], expected: &[(&str, &str, f64)]) {
    let (exporter, lister) = exporter();
    let mut revision_gauges = exporter.revision_gauges();
    for step in steps {
        match *step {
            Known(key, service) => lister.insert(key, service, service),
            Gone(key) => lister.remove(key),
            Tick(values) => revision_gauges.on_tick(&report(values)),
        }
    }
    let mut expected: Vec<String> = expected
        .iter()
        .map(|(key, service, value)| concurrency(key, service, *value))
        .collect();
    expected.sort_unstable();
    assert_eq!(samples(&exporter, "kn_revision_request_"), expected);
}

fn concurrency(key: &str, service: &str, value: f64) -> String {
    let (namespace, name) = key.split_once('/').expect("a test's key has a slash");
    format!(
        "kn_revision_request_concurrency{{k8s_namespace_name=\"{namespace}\",kn_service_name=\"{service}\",kn_configuration_name=\"{service}\",kn_revision_name=\"{name}\"}} {value}"
    )
}

#[test]
fn every_tracked_revision_has_the_gauge_of_the_last_tick_that_had_it() {
    let known = || Known("default/a", "one");
    check(&[known()], &[]);
    check(&[known(), Tick(&[])], &[]);
    check(
        &[known(), Tick(&[("default/a", 2.0)])],
        &[("default/a", "one", 2.0)],
    );
    check(
        &[
            known(),
            Tick(&[("default/a", 2.0)]),
            Tick(&[("default/a", 0.0)]),
        ],
        &[("default/a", "one", 0.0)],
    );
    check(
        &[known(), Tick(&[("default/a", 0.25)]), Tick(&[])],
        &[("default/a", "one", 0.25)],
    );
    check(
        &[
            known(),
            Known("other/a", "one"),
            Tick(&[("default/a", 1.0), ("other/a", 3.0)]),
            Tick(&[("other/a", 4.0)]),
        ],
        &[("default/a", "one", 1.0), ("other/a", "one", 4.0)],
    );
}

#[test]
fn a_revision_without_requests_has_no_series_after_many_ticks() {
    let ticks = |count| {
        let quiet = (0..count).map(|_| Tick(&[]));
        let busy = [Known("default/a", "one"), Tick(&[("default/a", 0.0)])];
        busy.into_iter().chain(quiet).collect::<Vec<_>>()
    };
    check(&ticks(599), &[("default/a", "one", 0.0)]);
    check(&ticks(600), &[]);
    let mut back = ticks(600);
    back.push(Tick(&[("default/a", 1.0)]));
    check(&back, &[("default/a", "one", 1.0)]);
}

#[test]
fn a_revision_that_is_gone_has_no_series() {
    let known = || Known("default/a", "one");
    let busy = || Tick(&[("default/a", 2.0)]);
    let gone = || Gone("default/a");
    check(&[known(), busy(), gone()], &[]);
    check(&[known(), busy(), gone(), Tick(&[])], &[]);
    check(&[known(), busy(), gone(), busy()], &[]);
    check(&[busy()], &[]);
    check(
        &[
            known(),
            Known("default/b", "two"),
            Tick(&[("default/a", 2.0), ("default/b", 3.0)]),
            gone(),
            Tick(&[]),
        ],
        &[("default/b", "two", 3.0)],
    );
}

#[test]
fn a_revision_that_comes_back_has_only_its_new_series() {
    let busy = || Tick(&[("default/a", 2.0)]);
    let known = |service| Known("default/a", service);
    let gone = || Gone("default/a");
    let new = &[("default/a", "two", 2.0)];
    check(&[known("one"), busy(), known("two")], new);
    check(&[known("one"), busy(), known("two"), busy()], new);
    check(
        &[known("one"), busy(), gone(), busy(), known("two"), busy()],
        new,
    );
    // What was measured before is not the new one's.
    check(
        &[known("one"), busy(), gone(), Tick(&[]), known("two")],
        &[],
    );
    check(&[known("one"), busy(), gone(), busy(), known("two")], &[]);
}
