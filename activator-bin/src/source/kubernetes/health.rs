//! What is said of the watches of a cluster: in the log, in the status, and as their age.
//!
//! When the API server is away all watches fail at once, which is one line. A watch that it refuses has a line of its own.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_metrics::WatchKind;
use serde::Serialize;
use tokio::time::Instant;

use super::api_server::RequestError;
use crate::logging::health_log::HealthLog;

/// The state of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchStatus {
    /// What it is of.
    pub kind: &'static str,
    /// The objects that are asked for, as in `revisions.serving.knative.dev`.
    pub resource: String,
    /// Whether they have been listed.
    pub listed: bool,
    /// What is wrong with it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Seconds since the API server was last heard on it.
    pub age: u64,
}

/// What is known of all watches.
#[derive(Default)]
pub(super) struct Health {
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    watches: Vec<Watch>,
    next: u64,
    log: HealthLog,
}

struct Watch {
    id: u64,
    kind: WatchKind,
    resource: String,
    is_listed: bool,
    heard: Instant,
    problem: Option<String>,
    /// Failures in a row to reach the API server.
    failures: u32,
    /// Whether the API server is away.
    is_away: bool,
    log: HealthLog,
}

/// One watch, for as long as it is wanted.
pub(super) struct WatchHealth {
    health: Arc<Health>,
    id: u64,
}

impl Health {
    /// A watch that begins.
    pub(super) fn watch(self: &Arc<Self>, kind: WatchKind, resource: &str) -> WatchHealth {
        let mut all = self.all.lock();
        let id = all.next;
        all.next += 1;
        all.watches.push(Watch {
            id,
            kind,
            resource: resource.to_owned(),
            is_listed: false,
            heard: Instant::now(),
            problem: None,
            failures: 0,
            is_away: false,
            log: HealthLog::default(),
        });
        WatchHealth {
            health: Arc::clone(self),
            id,
        }
    }

    /// All watches.
    pub(super) fn status(&self) -> Vec<WatchStatus> {
        let all = self.all.lock();
        let status = |it: &Watch| WatchStatus {
            kind: it.kind.as_str(),
            resource: it.resource.clone(),
            listed: it.is_listed,
            problem: it.problem.clone(),
            age: it.heard.elapsed().as_secs(),
        };
        all.watches.iter().map(status).collect()
    }

    /// How long ago the API server was last heard, on the watch of this kind that has waited longest. Zero if there is
    /// none.
    pub(super) fn age(&self, kind: WatchKind) -> Duration {
        let all = self.all.lock();
        let ages = all.watches.iter().filter(|it| it.kind == kind);
        ages.map(|it| it.heard.elapsed()).max().unwrap_or_default()
    }
}

impl WatchHealth {
    /// The API server has sent something.
    pub(super) fn on_heard(&self) {
        self.health.all.lock().get(self.id).heard = Instant::now();
    }

    /// A list is complete.
    pub(super) fn on_listed(&self) {
        self.health.all.lock().get(self.id).is_listed = true;
    }

    /// A list or watch works.
    pub(super) fn on_success(&self) {
        let now = Instant::now();
        let all = &mut *self.health.all.lock();
        let watch = all.get(self.id);
        watch.heard = now;
        watch.problem = None;
        watch.failures = 0;
        if watch.log.is_failing() && watch.log.on_success(now).is_some() {
            tracing::info!("{} can be watched again", watch.resource);
        }
        watch.is_away = false;
        let is_away = all.watches.iter().any(|it| it.is_away);
        if !is_away && all.log.is_failing() && all.log.on_success(now).is_some() {
            tracing::info!("the API server responds again");
        }
    }

    /// A list or watch failed, and is tried again.
    pub(super) fn on_failure(&self, error: &RequestError) {
        let is_away = match error.code() {
            Some(429) => true,
            Some(code) => code >= 500,
            None => *error != RequestError::Unreadable,
        };
        if !is_away {
            return self.on_refused(error, error.code());
        }
        let now = Instant::now();
        let all = &mut *self.health.all.lock();
        let watch = all.get(self.id);
        watch.problem = Some(error.to_string());
        watch.failures = watch.failures.saturating_add(1);
        // A connection may break at any time. If another one works nothing has happened.
        watch.is_away = watch.failures > 1;
        if watch.is_away && all.log.on_failure(now).is_some() {
            let resource = &all.get(self.id).resource;
            tracing::warn!(
                "the API server is away; serving goes on with what is known of the cluster: {resource}: {error}"
            );
        }
    }

    /// What the API server sent is not what it should be.
    pub(super) fn on_nonsense(&self, problem: &str) {
        self.on_refused(problem, None);
    }

    fn on_refused(&self, problem: impl Display, code: Option<u16>) {
        let all = &mut *self.health.all.lock();
        let watch = all.get(self.id);
        let resource = &watch.resource;
        let advice = match code {
            Some(403) => format!("; the role needs get, list and watch of {resource}"),
            Some(404) => format!("; the cluster has no {resource}: is Knative Serving installed?"),
            _ => String::new(),
        };
        let problem = format!("{problem}{advice}");
        if watch.log.on_failure(Instant::now()).is_some() {
            tracing::warn!("{resource} cannot be watched: {problem}");
        }
        watch.problem = Some(problem);
        watch.is_away = false;
    }
}

impl All {
    fn get(&mut self, id: u64) -> &mut Watch {
        let watch = self.watches.iter_mut().find(|it| it.id == id);
        watch.expect("only the drop of its WatchHealth takes it out")
    }
}

impl Drop for WatchHealth {
    fn drop(&mut self) {
        let mut all = self.health.all.lock();
        all.watches.retain(|it| it.id != self.id);
    }
}
