//! What is said of the watches of a cluster: in the log, in the status, and as their age.
//!
//! When the API server is away all watches fail at once, which is one line. A watch that it refuses has a line of its own.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_metrics::WatchKind;
use serde::Serialize;
use tokio::time::Instant;

use super::api_server::RequestError;
use super::resource::Resource;
use crate::logging::health_log::HealthLog;

/// The state of a watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchStatus {
    /// What it is of.
    pub kind: &'static str,
    /// The objects that are asked for, as in `revisions.serving.knative.dev` or `configmaps config-network`.
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
    resource: Resource,
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
    pub(super) fn watch(self: &Arc<Self>, kind: WatchKind, resource: &Resource) -> WatchHealth {
        let mut all = self.all.lock();
        let id = all.next;
        all.next += 1;
        all.watches.push(Watch {
            id,
            kind,
            resource: resource.clone(),
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
            resource: it.resource.name.clone(),
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
        let lines = self.health.all.lock().on_success(self.id, Instant::now());
        for line in lines.into_iter().flatten() {
            tracing::info!("{line}");
        }
    }

    /// A list or watch failed, and is tried again.
    pub(super) fn on_failure(&self, error: &RequestError) {
        self.warn(|all, now| all.on_failure(self.id, error, now));
    }

    /// What the API server sent is not what it should be.
    pub(super) fn on_nonsense(&self, problem: &str) {
        self.warn(|all, now| all.on_refused(self.id, problem.to_owned(), now));
    }

    fn warn(&self, change: impl FnOnce(&mut All, Instant) -> Option<String>) {
        let line = change(&mut self.health.all.lock(), Instant::now());
        if let Some(line) = line {
            tracing::warn!("{line}");
        }
    }
}

/// Each returns what is to be logged.
impl All {
    fn on_success(&mut self, id: u64, now: Instant) -> [Option<String>; 2] {
        let watch = self.get(id);
        watch.heard = now;
        watch.problem = None;
        watch.failures = 0;
        watch.is_away = false;
        let is_logged = watch.log.is_failing() && watch.log.on_success(now).is_some();
        let again = is_logged.then(|| format!("{} can be watched again", watch.resource.name));
        let is_away = self.watches.iter().any(|it| it.is_away);
        let responds = !is_away && self.log.is_failing() && self.log.on_success(now).is_some();
        [again, responds.then(|| RESPONDS.to_owned())]
    }

    fn on_failure(&mut self, id: u64, error: &RequestError, now: Instant) -> Option<String> {
        let is_away = match error.code() {
            Some(429) => true,
            Some(code) => code >= 500,
            None => *error != RequestError::Unreadable,
        };
        let watch = self.get(id);
        let Resource { kind, name, .. } = &watch.resource;
        if !is_away {
            let advice = match error.code() {
                Some(403) => format!("; the role needs get, list and watch of {kind}"),
                Some(404) => {
                    format!("; the cluster has no {kind}: is Knative Serving installed?")
                }
                _ => String::new(),
            };
            return self.on_refused(id, format!("{error}{advice}"), now);
        }
        let line = format!("{AWAY}: {name}: {error}");
        watch.problem = Some(error.to_string());
        watch.failures = watch.failures.saturating_add(1);
        // A connection may break at any time. If another one works nothing has happened.
        watch.is_away = watch.failures > 1;
        (watch.is_away && self.log.on_failure(now).is_some()).then_some(line)
    }

    fn on_refused(&mut self, id: u64, problem: String, now: Instant) -> Option<String> {
        let watch = self.get(id);
        let line = format!("{} cannot be watched: {problem}", watch.resource.name);
        watch.problem = Some(problem);
        watch.is_away = false;
        watch.log.on_failure(now).is_some().then_some(line)
    }

    fn get(&mut self, id: u64) -> &mut Watch {
        let watch = self.watches.iter_mut().find(|it| it.id == id);
        watch.expect("only the drop of its WatchHealth takes it out")
    }
}

const AWAY: &str = "the API server is away; serving goes on with what is known of the cluster";
const RESPONDS: &str = "the API server responds again";

impl Drop for WatchHealth {
    fn drop(&mut self) {
        let mut all = self.health.all.lock();
        all.watches.retain(|it| it.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::kubernetes::object::Service;

    /// The lines of a history, each event of which is a watch, what happens to it, and a time in s: `a-` no response, `a!`
    /// forbidden, `a?` nonsense, `a+` success.
    fn check(history: &str, expected: &[&str]) {
        let health = Arc::<Health>::default();
        let watches = ["a", "b"].map(|name| {
            let services = Resource::of::<Service>(None).named(name);
            health.watch(WatchKind::ConfigMaps, &services)
        });
        let start = Instant::now();
        let mut lines = Vec::new();
        for event in history.split_whitespace() {
            let id = watches[usize::from(event.starts_with('b'))].id;
            let now = start + Duration::from_secs(event[2..].parse().unwrap());
            let mut all = health.all.lock();
            let failed = |code: Option<u16>| match code {
                None => RequestError::Failed("refused".to_owned()),
                Some(code) => RequestError::Status {
                    code,
                    message: String::new(),
                    retry_after: None,
                },
            };
            match &event[1..2] {
                "-" => lines.extend(all.on_failure(id, &failed(None), now)),
                "!" => lines.extend(all.on_failure(id, &failed(Some(403)), now)),
                "?" => lines.extend(all.on_refused(id, "nonsense".to_owned(), now)),
                _ => lines.extend(all.on_success(id, now).into_iter().flatten()),
            }
        }
        assert_eq!(lines, expected, "{history}");
    }

    #[test]
    fn an_api_server_that_is_away_is_one_line_and_so_is_its_return() {
        let away = format!("{AWAY}: services a: refused");
        check("", &[]);
        check("a+0 b+0 a+9", &[]);
        check("a+0 b+0 a-1 b-1 a-2 b-2 a-3 b-3", &[&away]);
        check("a-1 b-1 a-2 b-2 a+9", &[&away]);
        check("a-1 b-1 a-2 b-2 a+9 b+9 a+19", &[&away, RESPONDS]);
        let again = [away.as_str(), RESPONDS, &away];
        check("a-1 a-2 a+9 b+9 a-30 b-30 a-31 b-31", &again);
    }

    #[test]
    fn a_connection_that_breaks_once_is_no_line() {
        check("a+0 a-1 a+2 a-3 a+4", &[]);
    }

    #[test]
    fn a_watch_that_is_refused_has_its_own_lines() {
        let forbidden = "services a cannot be watched: status 403; the role needs get, list and watch of services";
        check("a!0 b+1 a!2", &[forbidden]);
        check(
            "a!0 a!2 a+9",
            &[forbidden, "services a can be watched again"],
        );
        check("b?0", &["services b cannot be watched: nonsense"]);
        // That it is refused means that the API server is there.
        let away = format!("{AWAY}: services a: refused");
        check("a-0 a-1 a!9 b+9", &[&away, forbidden, RESPONDS]);
    }
}
