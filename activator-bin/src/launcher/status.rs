//! What operators see of the instances: states, what is wanted, why they came and went.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use reporter_metrics::{InstanceMetrics, InstanceState, StartCause, StopCause};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::fleet::{InstanceId, State, StopKind};
use super::process::Running;

/// The status of all revisions whose instances are started here.
pub(super) struct Statuses {
    revisions: Mutex<HashMap<RevisionKey, Status>>,
    /// How many changes there have been, of all together.
    changes: AtomicU64,
    metrics: InstanceMetrics,
}

/// The status of a revision at a moment. Equal to that of another moment if nothing has changed between them.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    /// The number of the last change.
    number: u64,
    /// Whether it has, or is to have, an instance that takes requests.
    pub(crate) is_awake: bool,
    pub(crate) json: Json,
}

#[derive(Default)]
struct Status {
    /// The number of its last change.
    number: u64,
    /// Its revision is no longer started here, or no longer there.
    is_removed: bool,
    wanted: u32,
    instances: BTreeMap<InstanceId, Instance>,
    failed: Option<Failed>,
    starts: BTreeMap<&'static str, u64>,
    stops: BTreeMap<&'static str, u64>,
    /// The last start that has become ready took this long, from the first request that waited.
    start: Option<Duration>,
    /// Why it last went to sleep, or was woken.
    last: Option<Last>,
    /// Why it was last woken.
    last_start: Option<Last>,
    next_stop: Option<NextStop>,
}

/// What becomes of the last instance without a request.
struct NextStop {
    kind: StopKind,
    /// By the launcher's clock.
    after: Duration,
    at: SystemTime,
}

struct Instance {
    index: u32,
    state: State,
    since: SystemTime,
    running: Arc<Running>,
}

struct Failed {
    why: String,
    until: SystemTime,
}

#[derive(Clone, Copy)]
struct Last {
    cause: &'static str,
    at: SystemTime,
}

/// A failure for JSON.
#[derive(Serialize)]
struct FailedFields<'a> {
    why: &'a str,
    until: String,
}

impl Statuses {
    pub(super) fn new(metrics: InstanceMetrics) -> Self {
        Self {
            revisions: Mutex::default(),
            changes: AtomicU64::new(0),
            metrics,
        }
    }

    /// The revision's instances are started here from now on.
    pub(super) fn add(&self, key: &RevisionKey) {
        let mut revisions = self.revisions.lock();
        let status = revisions.entry(key.clone()).or_default();
        status.is_removed = false;
        status.number = self.next_number();
        drop(revisions);
        self.count();
    }

    /// They are not any more. What is known of it goes with the last one.
    pub(super) fn remove(&self, key: &RevisionKey) {
        self.change(key, |status| status.is_removed = true);
    }

    pub(super) fn wanted(&self, key: &RevisionKey, wanted: u32) {
        let before = self.revisions.lock().get(key).map(|it| it.wanted);
        if before != Some(wanted) {
            self.change(key, |status| status.wanted = wanted);
        }
    }

    /// An instance exists.
    pub(super) fn on_start(
        &self,
        key: &RevisionKey,
        id: InstanceId,
        index: u32,
        running: Arc<Running>,
    ) {
        self.change(key, |status| {
            let instance = Instance {
                index,
                state: State::Starting,
                since: SystemTime::now(),
                running,
            };
            status.instances.insert(id, instance);
        });
    }

    /// It was started, or woken.
    pub(super) fn started(&self, key: &RevisionKey, cause: StartCause) {
        self.metrics.started(cause);
        self.change(key, |status| {
            *status.starts.entry(cause.as_str()).or_default() += 1;
            status.last = Some(Last::new(cause.as_str()));
            status.last_start = status.last;
        });
    }

    /// It is being stopped or frozen, or has ended by itself.
    pub(super) fn stopped(&self, key: &RevisionKey, cause: StopCause) {
        self.metrics.stopped(cause);
        self.change(key, |status| {
            *status.stops.entry(cause.as_str()).or_default() += 1;
            status.last = Some(Last::new(cause.as_str()));
        });
    }

    /// It is ready, this long after the first request that waited for it.
    pub(super) fn ready(&self, key: &RevisionKey, after: Duration) {
        self.metrics.ready(after);
        self.change(key, |status| status.start = Some(after));
    }

    /// Its state is another; `None` when it is gone.
    pub(super) fn on_state(&self, key: &RevisionKey, id: InstanceId, to: Option<State>) {
        self.change(key, |status| match to {
            None => {
                status.instances.remove(&id);
            }
            Some(to) => {
                if let Some(instance) = status.instances.get_mut(&id) {
                    instance.state = to;
                    instance.since = SystemTime::now();
                }
            }
        });
    }

    /// Requests are refused for a while, or no longer.
    pub(super) fn on_failure(&self, key: &RevisionKey, failure: Option<(Duration, String)>) {
        self.change(key, |status| {
            status.failed = failure.map(|(pause, why)| Failed {
                why,
                until: SystemTime::now() + pause,
            });
        });
    }

    /// When its last instance ends without a request, by a clock that shows `now`.
    pub(super) fn next_stop(
        &self,
        key: &RevisionKey,
        stop: Option<(Duration, StopKind)>,
        now: Duration,
    ) {
        let mut revisions = self.revisions.lock();
        let Some(status) = revisions.get_mut(key) else {
            return;
        };
        let before = status.next_stop.as_ref().map(|it| (it.after, it.kind));
        if before != stop {
            status.number = self.next_number();
            status.next_stop = stop.map(|(after, kind)| NextStop {
                kind,
                after,
                at: SystemTime::now() + after.saturating_sub(now),
            });
        }
    }

    /// The status of one by now; `before` is what this returned last.
    pub(super) fn shown(
        &self,
        key: &RevisionKey,
        before: Option<&Arc<Shown>>,
    ) -> Option<Arc<Shown>> {
        let revisions = self.revisions.lock();
        let status = revisions.get(key)?;
        if let Some(before) = before.filter(|it| it.number == status.number) {
            return Some(Arc::clone(before));
        }
        Some(Arc::new(Shown {
            number: status.number,
            is_awake: status.is_awake(),
            json: status.to_json(false),
        }))
    }

    /// The status of one, as JSON; with the last lines of output if `is_full`. `None` if nothing of it is started here.
    pub(super) fn show(&self, key: &RevisionKey, is_full: bool) -> Option<Json> {
        let revisions = self.revisions.lock();
        Some(revisions.get(key)?.to_json(is_full))
    }

    fn next_number(&self) -> u64 {
        self.changes.fetch_add(1, Ordering::Relaxed)
    }

    fn change(&self, key: &RevisionKey, change: impl FnOnce(&mut Status)) {
        let mut revisions = self.revisions.lock();
        if let Some(status) = revisions.get_mut(key) {
            change(status);
            status.number = self.next_number();
            if status.is_removed && status.instances.is_empty() {
                revisions.remove(key);
            }
        }
        drop(revisions);
        self.count();
    }

    /// Brings the gauges up to date.
    fn count(&self) {
        let revisions = self.revisions.lock();
        let mut counts = InstanceState::ALL.map(|state| (state, 0));
        let mut wanted = 0;
        for status in revisions.values() {
            wanted += u64::from(status.wanted);
            let states = status.instances.values().map(|it| it.state.into());
            let none = status.instances.is_empty().then(|| status.state());
            for state in states.chain(none) {
                counts[state as usize].1 += 1;
            }
        }
        for (state, instances) in counts {
            self.metrics.count(state, instances);
        }
        self.metrics.wanted(wanted);
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Status {
    /// Whether it has, or is to have, an instance that takes requests.
    fn is_awake(&self) -> bool {
        let is_awake = |it: &Instance| matches!(it.state, State::Starting | State::Ready);
        self.instances.values().any(is_awake)
    }

    fn to_json(&self, is_full: bool) -> Json {
        let instance = |it: &Instance| {
            let mut shown = json!({
                "index": it.index,
                "state": InstanceState::from(it.state).as_str(),
                "since": time(it.since),
                "pid": it.running.pid(),
            });
            if is_full {
                shown["output"] = it.running.tail().into();
            }
            shown
        };
        let ready = self.instances.values();
        let ready = ready.filter(|it| it.state == State::Ready);
        let change = |it: &Last| json!({ "cause": it.cause, "at": time(it.at) });
        let next_stop = |it: &NextStop| json!({ "action": it.kind.as_str(), "at": time(it.at) });
        // Known a second later at most.
        let is_kept = |it: &Instance| matches!(it.state, State::Ready | State::Frozen);
        let is_kept = self.instances.values().any(is_kept);
        json!({
            "state": self.state().as_str(),
            "wanted": self.wanted,
            "ready": ready.count(),
            "instances": self.instances.values().map(instance).collect::<Vec<_>>(),
            "failed": self.failed.as_ref().map(|it| FailedFields {
                why: &it.why,
                until: time(it.until),
            }),
            "starts": self.starts,
            "stops": self.stops,
            "restarts": self.starts.get(StartCause::Crash.as_str()).unwrap_or(&0),
            "start_seconds": self.start.map(|it| it.as_secs_f64()),
            "last_change": self.last.as_ref().map(change),
            "last_start": self.last_start.as_ref().map(change),
            "next_stop": self.next_stop.as_ref().filter(|_| is_kept).map(next_stop),
        })
    }

    /// The state of its best instance.
    fn state(&self) -> InstanceState {
        const BEST_FIRST: [State; 5] = [
            State::Ready,
            State::Starting,
            State::Draining,
            State::Frozen,
            State::Stopping,
        ];
        let has = |state: &State| self.instances.values().any(|it| it.state == *state);
        match BEST_FIRST.into_iter().find(has) {
            Some(state) => state.into(),
            None if self.failed.is_some() => InstanceState::Failed,
            None => InstanceState::Stopped,
        }
    }
}

impl Last {
    fn new(cause: &'static str) -> Self {
        Self {
            cause,
            at: SystemTime::now(),
        }
    }
}

impl From<State> for InstanceState {
    fn from(state: State) -> Self {
        match state {
            State::Starting => Self::Starting,
            State::Ready => Self::Ready,
            State::Frozen => Self::Frozen,
            State::Draining => Self::Draining,
            State::Stopping => Self::Stopping,
        }
    }
}

fn time(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}
