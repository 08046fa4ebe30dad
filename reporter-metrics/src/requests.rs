//! The durations of requests, by those of their properties that are bounded.
//!
//! Each thread records into a table of its own, so that a request shares no lock with other cores and none with a scrape,
//! which only takes the tables away, whatever their size. On two cores one table for both is as fast (60 ns a
//! request either way).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;
use parking_lot::Mutex;
use reporter_core::RevisionKey;

use crate::block::Block;
use crate::errors::ErrorReason;
use crate::histogram::Histogram;
use crate::label::label_values;
use crate::names::REQUEST_BUCKETS;
use crate::revisions::{self, Revisions};

/// Series per revision; further ones share one. Backends choose the status, and must not choose the memory.
const MAX_SERIES: usize = 100;
/// Up to this many revisions are kept without asking whether they still exist.
const MIN_ASKED: usize = 64;

/// The label value for all others.
const OTHER: &str = "_OTHER";

label_values! {
    /// The scheme of a request.
    pub enum Scheme {
        /// Without TLS.
        Http = "http",
        /// Over TLS.
        Https = "https",
    }
}

label_values! {
    /// The HTTP version of a request.
    pub enum HttpVersion {
        /// HTTP/1.0.
        Http10 = "1.0",
        /// HTTP/1.1.
        Http11 = "1.1",
        /// HTTP/2.
        Http2 = "2",
    }
}

/// A request that has ended.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// Its method; one that HTTP does not define becomes `_OTHER`.
    pub method: &'a str,
    /// Its scheme.
    pub scheme: Scheme,
    /// Its HTTP version.
    pub version: HttpVersion,
    /// The status of its response; `None` when there was none.
    pub status: Option<u16>,
    /// Why it failed, was refused or was cut short, if so.
    pub error: Option<ErrorReason>,
    /// Its revision, if known.
    pub revision: Option<&'a RevisionKey>,
}

/// The durations of requests. Clones share the same series.
#[derive(Clone, Default)]
pub struct RequestMetrics {
    recorders: Arc<Mutex<Vec<Arc<Mutex<Table>>>>>,
    total: Arc<Mutex<Total>>,
}

/// Records the requests of one thread.
pub struct RequestRecorder {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    revisions: HashMap<RevisionKey, Vec<Series>, FixedState>,
    /// Requests whose revision is unknown.
    unknown: Vec<Series>,
}

type Series = (Labels, Histogram);

#[derive(Default)]
struct Total {
    table: Table,
    /// Beyond this many revisions, those that no longer exist are removed.
    asked_at: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Labels {
    Own {
        method: &'static str,
        scheme: Scheme,
        version: HttpVersion,
        status: Option<u16>,
        error: Option<ErrorReason>,
    },
    Rest,
}

impl RequestMetrics {
    /// A recorder for one thread.
    #[must_use]
    pub fn recorder(&self) -> RequestRecorder {
        let table = Arc::<Mutex<Table>>::default();
        self.recorders.lock().push(Arc::clone(&table));
        RequestRecorder { table }
    }

    /// Adds up what was recorded, and removes revisions that no longer exist, often enough for memory to
    /// follow. Does nothing while a text is being written, which begins with the same.
    pub(crate) fn collect(&self, is_known: impl Fn(&RevisionKey) -> bool) {
        if let Some(mut total) = self.total.try_lock() {
            self.collect_to(&mut total, is_known);
        }
    }

    fn collect_to(&self, total: &mut Total, is_known: impl Fn(&RevisionKey) -> bool) {
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

    /// Writes all series but those of revisions that no longer exist.
    pub(crate) fn write(&self, revisions: &Revisions, block: &mut Block<'_>) {
        let mut total = self.total.lock();
        self.collect_to(&mut total, |key| revisions.is_known(key));
        let Table {
            revisions: served,
            unknown,
        } = &total.table;
        // Empty labels, which to Prometheus are absent ones.
        write(unknown, [""; 4], block);
        let mut served: Vec<_> = served.iter().collect();
        served.sort_unstable_by_key(|&(key, _)| key);
        for (key, series) in served {
            if let Some(revision) = revisions.revision(key) {
                write(series, revisions::labels(key, &revision), block);
            }
        }
    }
}

impl RequestRecorder {
    /// A request ended, `duration` after its head had come.
    ///
    /// Allocates only for a series without requests since the last tick.
    pub fn served(&self, request: Served<'_>, duration: Duration) {
        let labels = Labels::of(&request);
        let Table { revisions, unknown } = &mut *self.table.lock();
        let series = match request.revision {
            None => unknown,
            // The usual case first: a look-up without a clone of the key.
            Some(key) => match revisions.get_mut(key) {
                Some(series) => series,
                None => revisions.entry(key.clone()).or_default(),
            },
        };
        histogram_of(series, labels).record(duration.as_secs_f64());
    }
}

fn add(all: &mut Vec<Series>, more: Vec<Series>) {
    for (labels, histogram) in more {
        histogram_of(all, labels).add(&histogram);
    }
}

/// The histogram of these labels, or the shared one.
fn histogram_of(series: &mut Vec<Series>, labels: Labels) -> &mut Histogram {
    let find = |series: &[Series], labels| series.iter().position(|it| it.0 == labels);
    let mut labels = labels;
    let mut found = find(series, labels);
    if found.is_none() && series.len() >= MAX_SERIES {
        labels = Labels::Rest;
        found = find(series, labels);
    }
    let index = found.unwrap_or_else(|| {
        series.push((labels, Histogram::new(REQUEST_BUCKETS)));
        series.len() - 1
    });
    &mut series[index].1
}

impl Labels {
    fn of(request: &Served<'_>) -> Self {
        Self::Own {
            method: known_method(request.method),
            scheme: request.scheme,
            version: request.version,
            status: request.status,
            error: request.error,
        }
    }
}

fn write(series: &[Series], owner: [&str; 4], block: &mut Block<'_>) {
    let mut series: Vec<_> = series.iter().collect();
    series.sort_unstable_by_key(|it| it.0);
    let [namespace, service, configuration, name] = owner;
    for (labels, histogram) in series {
        let status_text;
        let [method, scheme, version, status, error] = match *labels {
            Labels::Own {
                method,
                scheme,
                version,
                status,
                error,
            } => {
                status_text = status.map_or_else(String::new, |status| status.to_string());
                let error = error.map_or("", ErrorReason::as_str);
                [
                    method,
                    scheme.as_str(),
                    version.as_str(),
                    &status_text,
                    error,
                ]
            }
            Labels::Rest => [OTHER; 5],
        };
        let values = [
            method,
            scheme,
            version,
            status,
            error,
            namespace,
            service,
            configuration,
            name,
        ];
        block.histogram(&values, histogram);
    }
}

fn known_method(method: &str) -> &'static str {
    const METHODS: [&str; 9] = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "CONNECT", "TRACE",
    ];
    let known = METHODS.into_iter().find(|&known| known == method);
    known.unwrap_or(OTHER)
}
