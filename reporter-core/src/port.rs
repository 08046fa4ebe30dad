//! What the outer crates implement: the receiver of gauges, and the list of revisions.

use alloc::sync::Arc;

use crate::{Report, RevisionKey};

/// Receives the gauges of each tick.
///
/// Called from the task that makes reports, never while a request waits; it must not block.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use reporter_core::{MetricsBackend, Report, RevisionKey};
///
/// /// The concurrency of each revision, as of the last tick.
/// #[derive(Default)]
/// struct Gauges(BTreeMap<RevisionKey, f64>);
///
/// impl MetricsBackend for Gauges {
///     fn on_tick(&mut self, report: &Report) {
///         for gauge in report.gauges() {
///             self.0.insert(gauge.key.clone(), gauge.concurrency);
///         }
///         for key in &report.forgotten {
///             self.0.remove(key);
///         }
///     }
/// }
/// # Gauges::default().on_tick(&Report::default());
/// ```
pub trait MetricsBackend: Send {
    /// Takes a tick's report, for its [gauges](Report::gauges).
    fn on_tick(&mut self, report: &Report);
}

/// Where a revision comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its service; empty when it has none.
    pub service: Arc<str>,
    /// Its configuration.
    pub configuration: Arc<str>,
}

/// Knows the revisions that exist.
///
/// ```
/// use std::collections::HashMap;
///
/// use reporter_core::{Revision, RevisionKey, RevisionLister};
///
/// /// Revisions that are the same for as long as the program runs.
/// struct Fixed(HashMap<RevisionKey, Revision>);
///
/// impl RevisionLister for Fixed {
///     fn revision(&self, key: &RevisionKey) -> Option<Revision> {
///         self.0.get(key).cloned()
///     }
/// }
/// # let revision = Revision { service: "hello".into(), configuration: "hello".into() };
/// # let key: RevisionKey = "default/hello-00001".parse()?;
/// # let fixed = Fixed([(key.clone(), revision.clone())].into());
/// # assert_eq!(fixed.revision(&key), Some(revision));
/// # Ok::<(), reporter_core::KeyError>(())
/// ```
pub trait RevisionLister: Send + Sync {
    /// The revision with that key; `None` when it does not exist (any more).
    fn revision(&self, key: &RevisionKey) -> Option<Revision>;
}
