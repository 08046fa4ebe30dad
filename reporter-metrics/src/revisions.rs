//! The concurrency of revisions, as of the last tick with them.
//!
//! What must not live here: the text, and how requests are counted.
//!
//! A revision has a series if the lister knows it *and* it has a value here, both at the time of the scrape. So a
//! removed revision has no series, and one that was created again has only its new labels.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use reporter_core::{Revision, RevisionKey, RevisionLister};

use crate::block::Block;

mod gauges;
mod requests;

pub use gauges::RevisionGauges;
pub use requests::RevisionRequests;

/// For how many ticks the last value of a revision without requests stays: nothing is kept of those that sleep.
const KEPT: u64 = 600;

/// The values of all revisions.
pub(crate) struct Revisions {
    lister: Arc<dyn RevisionLister>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    revisions: HashMap<RevisionKey, Values>,
    ticks: u64,
}

/// The values of one revision.
#[derive(Default)]
struct Values {
    /// As of the last tick with this revision.
    concurrency: f64,
    /// The number of that tick.
    tick: u64,
}

impl Revisions {
    pub(crate) fn new(lister: Arc<dyn RevisionLister>) -> Self {
        Self {
            lister,
            table: Mutex::default(),
        }
    }

    pub(crate) fn revision(&self, key: &RevisionKey) -> Option<Revision> {
        self.lister.revision(key)
    }

    pub(crate) fn is_known(&self, key: &RevisionKey) -> bool {
        self.lister.revision(key).is_some()
    }

    /// The concurrency of all revisions, in the order of their keys.
    pub(crate) fn concurrency(&self) -> Vec<(RevisionKey, f64)> {
        let table = self.table.lock();
        let values = table.revisions.iter();
        let mut values: Vec<_> = values
            .map(|(key, values)| (key.clone(), values.concurrency))
            .collect();
        drop(table);
        values.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        values
    }

    /// Writes those of them that there are now.
    pub(crate) fn write(&self, concurrency: &[(RevisionKey, f64)], block: &mut Block<'_>) {
        for (key, value) in concurrency {
            if let Some(revision) = self.revision(key) {
                block.sample(&labels(key, &revision), value);
            }
        }
    }

    /// Takes the values of a tick, and forgets revisions that the lister does not have, or none of the last ticks.
    fn on_tick<'a>(&self, gauges: impl Iterator<Item = (&'a RevisionKey, f64)>) {
        let Table { revisions, ticks } = &mut *self.table.lock();
        *ticks += 1;
        for (key, concurrency) in gauges {
            // The usual case first: a look-up without a clone of the key.
            let values = match revisions.get_mut(key) {
                Some(values) => values,
                None => revisions.entry(key.clone()).or_default(),
            };
            values.concurrency = concurrency;
            values.tick = *ticks;
        }
        revisions.retain(|key, values| {
            let absent = *ticks - values.tick;
            absent == 0 || (absent < KEPT && self.is_known(key))
        });
        // Frees memory, with slack so that one revision more or less moves nothing.
        if revisions.capacity() > 64 && revisions.len() < revisions.capacity() / 4 {
            let room = revisions.len() * 2;
            revisions.shrink_to(room);
        }
    }
}

/// The values of the labels that say whose a series is.
pub(crate) fn labels<'a>(key: &'a RevisionKey, revision: &'a Revision) -> [&'a str; 4] {
    [
        key.namespace(),
        &revision.service,
        &revision.configuration,
        key.name(),
    ]
}

#[cfg(test)]
mod tests {
    use reporter_core::{MetricsBackend, Report};

    use super::*;
    use crate::names::Names;
    use crate::requests::RequestMetrics;

    struct NoRevisions;

    impl RevisionLister for NoRevisions {
        fn revision(&self, _: &RevisionKey) -> Option<Revision> {
            None
        }
    }

    #[test]
    fn an_unknown_revision_without_a_value_is_forgotten() {
        let revisions = Arc::new(Revisions::new(Arc::new(NoRevisions)));
        let mut gauges =
            RevisionGauges::new(Arc::clone(&revisions), RequestMetrics::new(Names::Knative));
        let key: RevisionKey = "default/a".parse().unwrap();
        let length = || revisions.table.lock().revisions.len();

        let value = (&key, 1.0);
        revisions.on_tick([value].into_iter());
        assert_eq!(length(), 1);
        gauges.on_tick(&Report::default());
        assert_eq!(length(), 0);
    }
}
