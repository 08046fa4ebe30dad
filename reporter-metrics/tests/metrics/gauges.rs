//! The concurrency gauges: which there are after ticks and changes of what the lister knows.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use reporter_core::MetricsBackend;
use reporter_metrics::Exporter;
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::lister::{Lister, exporter, gauges, samples};

use Step::{Gone, Known, Tick};

enum Step {
    /// There is a revision of that service, and a configuration of the same name.
    Known(&'static str, &'static str),
    Gone(&'static str),
    Tick(&'static [(&'static str, f64)]),
}

fn run(steps: &[Step], exporter: &Exporter, lister: &Lister) {
    let mut revision_gauges = exporter.revision_gauges();
    for step in steps {
        match *step {
            Known(key, service) => lister.insert(key, service, service),
            Gone(key) => lister.remove(key),
            Tick(values) => revision_gauges.on_tick(&gauges(values)),
        }
    }
}

/// After `steps`, the concurrency gauges are `expected`: revision, service, value.
#[track_caller]
fn check(steps: &[Step], expected: &[(&str, &str, f64)]) {
    let (exporter, lister) = exporter();
    run(steps, &exporter, &lister);
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

/// Notes the keys of the log.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        event.record(&mut &*self);
    }
}

impl Visit for &Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "key" {
            self.0.lock().push(format!("{value:?}"));
        }
    }
}

impl Log {
    /// What has been logged since the last call, while `steps` ran.
    fn during(&self, steps: impl FnOnce()) -> Vec<String> {
        let subscriber = tracing_subscriber::registry().with(self.clone());
        tracing::subscriber::with_default(subscriber, steps);
        std::mem::take(&mut self.0.lock())
    }
}

#[test]
fn an_unknown_revision_is_logged_once_until_it_was_known() {
    let check_log = |steps: &[Step], expected: &[&str]| {
        let (exporter, lister) = exporter();
        let logged = Log::default().during(|| run(steps, &exporter, &lister));
        assert_eq!(logged, expected);
    };
    let a = || Tick(&[("default/a", 1.0)]);
    let both = || Tick(&[("default/a", 1.0), ("default/b", 0.0)]);
    let known = || Known("default/a", "one");
    let gone = || Gone("default/a");
    check_log(&[known(), a(), a()], &[]);
    check_log(&[a(), a(), a()], &["default/a"]);
    check_log(&[a(), Tick(&[]), a()], &["default/a"]);
    check_log(&[both(), both()], &["default/a", "default/b"]);
    check_log(&[a(), known(), a(), gone(), a(), a()], &["default/a"; 2]);
    // Known only while it was not tracked.
    check_log(&[a(), known(), Tick(&[]), gone(), a()], &["default/a"; 2]);
    // A revision that goes while it is idle is nothing to talk about.
    check_log(&[known(), a(), gone(), Tick(&[])], &[]);
}

#[test]
fn a_flood_of_unknown_revisions_is_logged_in_part_and_leaves_room_when_it_is_over() {
    let (exporter, _lister) = exporter();
    let mut revision_gauges = exporter.revision_gauges();
    let flood: Vec<String> = (0..3_000).map(|n| format!("default/flood-{n}")).collect();
    let flood: Vec<(&str, f64)> = flood.iter().map(|key| (key.as_str(), 1.0)).collect();
    let log = Log::default();
    let first = log.during(|| revision_gauges.on_tick(&gauges(&flood)));
    assert_eq!(first.len(), 1_000);
    let again = log.during(|| revision_gauges.on_tick(&gauges(&flood)));
    assert_eq!(again, [""; 0]);
    let after = log.during(|| revision_gauges.on_tick(&gauges(&[("default/late", 1.0)])));
    assert_eq!(after, ["default/late"]);
}
