//! The log of revisions that the lister does not know.
//!
//! In its own process: a log line that is first reached without a subscriber may be off for all threads.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use reporter_core::{
    MetricsBackend, Report, Revision, RevisionKey, RevisionLister, Stat, StatMessage,
};
use reporter_metrics::{Exporter, RevisionGauges};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// The revisions that there are.
#[derive(Default)]
struct Lister(Mutex<HashSet<String>>);

impl RevisionLister for Lister {
    fn revision(&self, key: &RevisionKey) -> Option<Revision> {
        let known = self.0.lock().contains(key.as_str());
        known.then(|| Revision {
            service: "hello".into(),
            configuration: "hello".into(),
        })
    }
}

/// Notes the keys that are logged.
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

/// Ticks, and the log of them.
struct Fixture {
    lister: Arc<Lister>,
    gauges: RevisionGauges,
}

impl Fixture {
    fn new() -> Self {
        let lister = Arc::new(Lister::default());
        let exporter = Exporter::new("1.2.3", lister.clone());
        Self {
            lister,
            gauges: exporter.revision_gauges(),
        }
    }

    /// What is logged by a tick with `tracked` keys, given all the `known` ones.
    fn tick<K: AsRef<str>>(&mut self, known: &[&str], tracked: &[K]) -> Vec<String> {
        *self.lister.0.lock() = known.iter().map(|&key| key.to_owned()).collect();
        let message = |key: &K| StatMessage {
            key: key.as_ref().parse().expect("a test's key is valid"),
            stat: Stat {
                average_concurrent_requests: 1.0,
                request_count: 1,
            },
        };
        let mut report = Report::default();
        report.messages.extend(tracked.iter().map(message));
        let log = Log::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        tracing::subscriber::with_default(subscriber, || self.gauges.on_tick(&report));
        log.0.lock().clone()
    }
}

#[test]
fn an_unknown_revision_is_logged_once_until_it_was_known() {
    const A: &[&str] = &["default/a"];
    const B: &[&str] = &["default/b"];
    const BOTH: &[&str] = &["default/a", "default/b"];
    const NONE: &[&str] = &[];
    /// One entry for each tick: known, tracked, logged.
    #[track_caller]
    fn check(ticks: &[(&[&str], &[&str], &[&str])]) {
        let mut fixture = Fixture::new();
        for (index, (known, tracked, logged)) in ticks.iter().enumerate() {
            assert_eq!(&fixture.tick(known, tracked), logged, "tick {index}");
        }
    }
    check(&[(A, A, NONE), (A, A, NONE)]);
    check(&[(NONE, A, A), (NONE, A, NONE), (NONE, A, NONE)]);
    check(&[(NONE, A, A), (NONE, NONE, NONE), (NONE, A, NONE)]);
    check(&[(NONE, BOTH, BOTH), (NONE, BOTH, NONE)]);
    check(&[
        (A, BOTH, B),
        (NONE, BOTH, A),
        (B, BOTH, NONE),
        (NONE, BOTH, B),
    ]);
    // Known only while it was not tracked.
    check(&[(NONE, A, A), (A, NONE, NONE), (NONE, A, A)]);
    // A revision that goes while it is idle is nothing to talk about.
    check(&[(A, A, NONE), (NONE, NONE, NONE)]);
}

#[test]
fn logged_unknown_revisions_are_bounded_and_make_room_again() {
    let mut fixture = Fixture::new();
    let flood: Vec<String> = (0..3_000).map(|n| format!("default/flood-{n}")).collect();
    assert_eq!(fixture.tick(&[], &flood), flood[..1_000]);
    assert_eq!(fixture.tick(&[], &flood), [""; 0]);
    assert_eq!(fixture.tick(&[], &["default/late"]), ["default/late"]);
}
