//! Histograms of the durations of requests, by revision and by labels of one kind.
//!
//! Each thread records into a table of its own, so that a request shares no lock with other cores and none with a scrape,
//! which only takes the tables away, whatever their size. On two cores one table for both is as fast (60 ns a
//! request either way).
//!
//! What must not live here: which labels there are, and the text.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use reporter_core::{Revision, RevisionKey};

use crate::histogram::Histogram;
use crate::revisions::Revisions;

/// Series per revision; further ones share one. Backends choose the status, and must not choose the memory.
const MAX_SERIES: usize = 100;
/// Up to this many revisions are kept without asking whether they still exist.
const MIN_ASKED: usize = 64;

/// The labels of a series, besides those of its revision.
pub(crate) trait Labels: Copy + Ord {
    /// The upper bounds of its buckets.
    const BUCKETS: &'static [f64];
    /// The labels of the series that the others share.
    const REST: Self;
}

/// The durations that all threads recorded. Clones share the same series.
pub(crate) struct Durations<L> {
    recorders: Shared<Vec<Shared<Table<L>>>>,
    total: Shared<Total<L>>,
}

/// Records the durations of one thread.
pub(crate) struct Recorder<L> {
    table: Shared<Table<L>>,
}

type Shared<T> = Arc<Mutex<T>>;

struct Table<L> {
    revisions: HashMap<RevisionKey, Vec<Series<L>>, FixedState>,
    /// Requests whose revision is unknown.
    unknown: Vec<Series<L>>,
}

type Series<L> = (L, Histogram);

struct Total<L> {
    table: Table<L>,
    /// Beyond this many revisions, those that no longer exist are removed.
    asked_at: usize,
}

impl<L: Labels> Durations<L> {
    pub(crate) fn recorder(&self) -> Recorder<L> {
        let table = Shared::<Table<L>>::default();
        self.recorders.lock().push(Arc::clone(&table));
        Recorder { table }
    }

    /// Adds up what was recorded, and removes revisions that no longer exist, often enough for memory to
    /// follow. Does nothing while a text is being written, which begins with the same.
    pub(crate) fn collect(&self, is_known: impl Fn(&RevisionKey) -> bool) {
        if let Some(mut total) = self.total.try_lock() {
            self.collect_to(&mut total, is_known);
        }
    }

    fn collect_to(&self, total: &mut Total<L>, is_known: impl Fn(&RevisionKey) -> bool) {
        for recorder in &*self.recorders.lock() {
            // Taken as a whole, however large: its thread must not wait.
            let table = std::mem::take(&mut *recorder.lock());
            add(&mut total.table.unknown, table.unknown);
            for (revision, series) in table.revisions {
                add(total.table.revisions.entry(revision).or_default(), series);
            }
        }
        let Total { table, asked_at } = total;
        let revisions = &mut table.revisions;
        if revisions.len() > (*asked_at).max(MIN_ASKED) {
            revisions.retain(|key, _| is_known(key));
            *asked_at = revisions.len() * 2;
        }
    }

    /// Visits all series in order but those of revisions that no longer exist; first those of no revision.
    pub(crate) fn visit(
        &self,
        revisions: &Revisions,
        mut visit: impl FnMut(Option<(&RevisionKey, &Revision)>, L, &Histogram),
    ) {
        let mut total = self.total.lock();
        self.collect_to(&mut total, |key| revisions.is_known(key));
        let Table {
            revisions: served,
            unknown,
        } = &total.table;
        for (labels, histogram) in in_order(unknown) {
            visit(None, *labels, histogram);
        }
        let mut served: Vec<_> = served.iter().collect();
        served.sort_unstable_by_key(|&(key, _)| key);
        for (key, series) in served {
            if let Some(revision) = revisions.revision(key) {
                for (labels, histogram) in in_order(series) {
                    visit(Some((key, &revision)), *labels, histogram);
                }
            }
        }
    }
}

impl<L: Labels> Recorder<L> {
    /// Allocates only for a series without requests since the last tick.
    pub(crate) fn record(&self, revision: Option<&RevisionKey>, labels: L, duration: f64) {
        let Table { revisions, unknown } = &mut *self.table.lock();
        let series = match revision {
            None => unknown,
            // The usual case first: a look-up without a clone of the key.
            Some(key) => match revisions.get_mut(key) {
                Some(series) => series,
                None => revisions.entry(key.clone()).or_default(),
            },
        };
        histogram_of(series, labels).record(duration);
    }
}

fn add<L: Labels>(all: &mut Vec<Series<L>>, more: Vec<Series<L>>) {
    for (labels, histogram) in more {
        histogram_of(all, labels).add(&histogram);
    }
}

/// The histogram of these labels, or the shared one.
fn histogram_of<L: Labels>(series: &mut Vec<Series<L>>, labels: L) -> &mut Histogram {
    let find = |series: &[Series<L>], labels| series.iter().position(|it| it.0 == labels);
    let mut labels = labels;
    let mut found = find(series, labels);
    if found.is_none() && series.len() >= MAX_SERIES {
        labels = L::REST;
        found = find(series, labels);
    }
    let index = found.unwrap_or_else(|| {
        series.push((labels, Histogram::new(L::BUCKETS)));
        series.len() - 1
    });
    &mut series[index].1
}

fn in_order<L: Labels>(series: &[Series<L>]) -> Vec<&Series<L>> {
    let mut series: Vec<_> = series.iter().collect();
    series.sort_unstable_by_key(|it| it.0);
    series
}

// By hand, since derives ask the same of the labels.
impl<L> Clone for Durations<L> {
    fn clone(&self) -> Self {
        Self {
            recorders: Arc::clone(&self.recorders),
            total: Arc::clone(&self.total),
        }
    }
}

impl<L> Default for Durations<L> {
    fn default() -> Self {
        Self {
            recorders: Arc::default(),
            total: Arc::default(),
        }
    }
}

impl<L> Default for Table<L> {
    fn default() -> Self {
        Self {
            revisions: HashMap::default(),
            unknown: Vec::new(),
        }
    }
}

impl<L> Default for Total<L> {
    fn default() -> Self {
        Self {
            table: Table::default(),
            asked_at: 0,
        }
    }
}
