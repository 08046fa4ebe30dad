//! Where the state comes from that readers of events follow.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use foldhash::fast::FixedState;
use parking_lot::Mutex;
use reporter_core::RevisionKey;
use reporter_runtime::{ConcurrencyReporter, Dispatch, StatSink, Undelivered};
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::feed::{State, View};
use super::history::History;
use super::link::LinkStatus;
use super::row::{Fields, Row};
use crate::drain::Draining;
use crate::launcher::Launcher;
use crate::revision::{RevisionSpec, Revisions, ServedRevision};

/// The name of the sink.
pub(crate) const SINK: &str = "the status page";

/// What is known of the process.
pub(crate) struct Source {
    pub(crate) pod_name: String,
    pub(crate) revisions: Arc<Revisions>,
    pub(crate) reporter: ConcurrencyReporter,
    pub(crate) launcher: Option<Launcher>,
    /// The links to autoscalers.
    pub(crate) links: Vec<Arc<LinkStatus>>,
    pub(crate) draining: Draining,
    pub(crate) history: SharedHistory,
}

/// The last minute, and the clock of its slots. Clones share it.
#[derive(Clone)]
pub(crate) struct SharedHistory {
    history: Arc<Mutex<History>>,
    origin: Instant,
}

/// The sink that it is from.
struct HistorySink(SharedHistory);

impl SharedHistory {
    /// One with reports each `interval`, and the sink that takes them.
    pub(crate) fn new(interval: Duration) -> (Self, Box<dyn StatSink>) {
        let history = Self {
            history: Arc::new(Mutex::new(History::new(interval))),
            origin: Instant::now(),
        };
        (history.clone(), Box::new(HistorySink(history)))
    }
}

#[async_trait]
impl StatSink for HistorySink {
    fn name(&self) -> String {
        SINK.to_owned()
    }

    async fn run(
        self: Box<Self>,
        mut mailbox: mpsc::Receiver<Arc<Dispatch>>,
    ) -> Result<(), Undelivered> {
        let SharedHistory { history, origin } = self.0;
        while let Some(dispatch) = mailbox.recv().await {
            let batch = &dispatch.batch;
            let mut history = history.lock();
            history.record(batch.cause, &batch.messages, origin.elapsed());
        }
        Ok(())
    }
}

impl Source {
    /// The state by now, and what has changed since `before`.
    pub(super) fn next(&self, before: &State) -> (State, Option<String>) {
        // Before the rows, which are to have what had ended by then.
        let (open, recent) = {
            let mut history = self.history.history.lock();
            let open = history.advance(self.history.origin.elapsed());
            (open, history.recent_of_all(before.recent()))
        };
        let awake = self.revisions.awake();
        let awake: HashMap<&RevisionKey, &ServedRevision, FixedState> =
            awake.iter().map(|it| (&it.key, &**it)).collect();
        let mut sums = Sums::default();
        let specs = self.revisions.list();
        let rows = specs.map(|spec| {
            let row = self.row(&spec, awake.get(&spec.key).copied(), before);
            sums.add(&row);
            (spec.key.clone(), row)
        });
        let rows: Vec<_> = rows.collect();
        before.next(View {
            server: self.server(&sums),
            rows,
            open,
            recent,
        })
    }

    fn row(&self, spec: &RevisionSpec, served: Option<&ServedRevision>, before: &State) -> Row {
        let key = &spec.key;
        let before = before.row(key);
        let launcher = self.launcher.as_ref().filter(|_| spec.launch.is_some());
        let status = before.and_then(|it| it.status.as_ref());
        let recent = before.and_then(|it| it.recent.as_ref());
        Row {
            hosts: Arc::clone(&spec.hosts),
            // Only what is awake has requests.
            in_flight: served
                .and_then(|_| self.reporter.in_flight(key))
                .unwrap_or(0),
            queued: served.map_or(0, |it| it.throttle.queued()),
            states: match spec.launch {
                None => served.map(|it| it.prober.counts()),
                Some(_) => None,
            },
            status: launcher.and_then(|it| it.shown(key, status)),
            recent: self.history.history.lock().recent(key, recent),
        }
    }

    fn server(&self, sums: &Sums) -> Fields {
        let links: Vec<Json> = self.links.iter().map(|it| it.to_json()).collect();
        let mut fields = Fields::new();
        let mut set = |name: &str, value| fields.insert(name.to_owned(), value);
        set("version", env!("CARGO_PKG_VERSION").into());
        set("pod_name", self.pod_name.as_str().into());
        set("draining", self.draining.is_announced().into());
        set("memory_bytes", json!(resident_bytes()));
        set("links", links.into());
        let slot = self.history.history.lock().slot();
        set("slot_seconds", json!(slot.as_secs_f64()));
        set("totals", sums.to_json());
        fields
    }
}

/// Sums over all revisions.
#[derive(Default)]
struct Sums {
    revisions: usize,
    awake: usize,
    in_flight: u64,
    queued: usize,
}

impl Sums {
    fn add(&mut self, row: &Row) {
        self.revisions += 1;
        self.awake += usize::from(row.is_awake());
        self.in_flight += row.in_flight;
        self.queued += row.queued;
    }

    fn to_json(&self) -> Json {
        json!({
            "revisions": self.revisions,
            "awake": self.awake,
            "in_flight": self.in_flight,
            "queued": self.queued,
        })
    }
}

/// Resident memory in whole MiB, so that it is not another number each time; `None` where there is no /proc.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((kib >> 10) << 20)
}

/// The time of day, as in all JSON.
pub(super) fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
