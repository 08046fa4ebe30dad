//! Revisions that a test adds and removes.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use reporter_core::{Report, Revision, RevisionKey, RevisionLister, Stat, StatMessage};
use reporter_metrics::{Exporter, Names};

/// Knows what it was last told.
#[derive(Default)]
pub(crate) struct Lister(Mutex<HashMap<RevisionKey, Revision>>);

impl Lister {
    /// From now on there is a revision `key` of that service and configuration.
    pub(crate) fn insert(&self, key: &str, service: &str, configuration: &str) {
        let revision = Revision {
            service: service.into(),
            configuration: configuration.into(),
        };
        self.0.lock().insert(self::key(key), revision);
    }

    /// From now on there is no revision `key`.
    pub(crate) fn remove(&self, key: &str) {
        self.0.lock().remove(&self::key(key));
    }
}

impl RevisionLister for Lister {
    fn revision(&self, key: &RevisionKey) -> Option<Revision> {
        self.0.lock().get(key).cloned()
    }
}

/// An exporter with a lister that knows nothing yet.
pub(crate) fn exporter() -> (Exporter, Arc<Lister>) {
    let lister = Arc::new(Lister::default());
    (Exporter::new("1.2.3", lister.clone()), lister)
}

/// The same, with metrics of these names.
pub(crate) fn exporter_with(names: Names) -> (Exporter, Arc<Lister>) {
    let lister = Arc::new(Lister::default());
    let exporter = Exporter::with_names("1.2.3", lister.clone(), names, "activator-0");
    (exporter, lister)
}

pub(crate) fn key(text: &str) -> RevisionKey {
    text.parse().expect("a test's key is valid")
}

/// What a tick hands over.
pub(crate) fn report(values: &[(&str, f64)]) -> Report {
    let mut report = Report::default();
    let message = |&(key, average_concurrent_requests): &(&str, f64)| StatMessage {
        key: self::key(key),
        stat: Stat {
            average_concurrent_requests,
            request_count: 0,
        },
    };
    report.messages.extend(values.iter().map(message));
    report
}

/// The lines of the text that belong to series whose name starts with `prefix`, in order.
pub(crate) fn samples(exporter: &Exporter, prefix: &str) -> Vec<String> {
    let text = exporter.render([]);
    crate::exposition::parse(&text).expect("the text is valid");
    let lines = text.lines().filter(|line| line.starts_with(prefix));
    lines.map(str::to_owned).collect()
}
