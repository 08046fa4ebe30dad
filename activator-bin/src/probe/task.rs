//! The task of one prober. It alone decides which backends are ready, so that the end of a probe cannot contradict a
//! newer list.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::attempts::Attempts;
use super::exchange::Exchange;
use super::schedule::Owner;
use super::trust::Trust;
use super::{BackendCounts, Probe, ProbeSettings, Probes};
use crate::logging::health_log::{self, HealthLog};
use crate::throttle::{Complaint, Throttle};

/// What the owner of a prober has asked for.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    pub(super) settings: ProbeSettings,
    pub(super) backends: BTreeMap<SocketAddr, Named>,
    /// How many lists there were.
    pub(super) lists: u64,
}

/// A listed backend. One that was removed and added again counts as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The number of the list that first named it.
    pub(super) list: u64,
    /// Whether it joined the throttle's capacity at once.
    pub(super) is_ready: bool,
}

pub(super) struct Task {
    revision: RevisionKey,
    owner: Owner,
    throttle: Throttle,
    probes: Arc<Probes>,
    targets: watch::Receiver<Targets>,
    settings: ProbeSettings,
    /// The backends in the list that the task has processed.
    named: BTreeMap<SocketAddr, Named>,
    backends: BTreeMap<SocketAddr, Known>,
    /// One task per backend being probed, which ends when the backend is ready.
    probing: JoinSet<()>,
    counts: Arc<Mutex<BackendCounts>>,
    /// When to log backends that became ready too soon after the last log line about them.
    log_at: Option<Instant>,
}

struct Known {
    state: State,
    record: Record,
}

/// What is remembered about a backend as long as it is listed.
#[derive(Clone, Default)]
struct Record {
    trust: Trust,
    /// Which of its failures were logged, by this task and the one that probes it.
    log: Arc<Mutex<HealthLog>>,
}

/// Why a backend is probed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    New,
    SetAside,
}

enum State {
    Ready {
        since: Instant,
    },
    Probing {
        task: AbortHandle,
        reason: Reason,
        /// When its first probe is due.
        from: Instant,
    },
}

impl Task {
    pub(super) fn new(
        revision: RevisionKey,
        throttle: Throttle,
        probes: Arc<Probes>,
        mut targets: watch::Receiver<Targets>,
        counts: Arc<Mutex<BackendCounts>>,
    ) -> Self {
        let settings = targets.borrow_and_update().settings;
        Self {
            revision,
            owner: probes.owner(),
            throttle,
            probes,
            targets,
            settings,
            named: BTreeMap::new(),
            backends: BTreeMap::new(),
            probing: JoinSet::new(),
            counts,
            log_at: None,
        }
    }

    /// Runs until the prober is dropped.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                // The list first: backends set aside may only be in the newest one.
                biased;
                changed = self.targets.changed() => match changed {
                    Ok(()) => self.take_targets(),
                    Err(_) => return,
                },
                Some(ended) = self.probing.join_next_with_id() => self.probed(ended),
                backends = self.throttle.set_aside() => self.set_aside(&backends),
                () = until(self.log_at) => self.log_late(),
            }
            let counts = self.count();
            let before = std::mem::replace(&mut *self.counts.lock(), counts);
            if counts.ready == 0 && before.ready > 0 {
                self.hurry();
            }
        }
    }

    fn take_targets(&mut self) {
        let targets = self.targets.borrow_and_update().clone();
        let settings = targets.settings;
        let known = std::mem::replace(&mut self.named, targets.backends);
        self.backends.retain(|backend, own| {
            let stays = self.named.get(backend) == known.get(backend);
            if !stays {
                own.state.stop_probing();
            }
            stays
        });
        if settings != self.settings {
            self.settings = settings;
            self.probe_anew();
        }
        let is_new = |(backend, _): &(&SocketAddr, &Named)| !self.backends.contains_key(*backend);
        let new: Vec<_> = self
            .named
            .iter()
            .filter(is_new)
            .map(|(backend, named)| (*backend, *named))
            .collect();
        for (backend, named) in new {
            if named.is_ready {
                self.is_ready(backend, Record::default());
            } else {
                self.start(backend, Record::default(), Reason::New, Duration::ZERO);
            }
        }
    }

    /// Restarts the probing of backends, with the current settings.
    fn probe_anew(&mut self) {
        self.start_again(|_| true, Duration::ZERO);
    }

    /// No other backend is ready, so none is left alone for long.
    fn hurry(&mut self) {
        let delay = self.settings.longest_pause_of_the_last();
        let latest = Instant::now() + delay;
        self.start_again(|from| from > latest, delay);
    }

    /// Restarts the probing of backends whose first probe is due at a time that matches `is_meant`.
    fn start_again(&mut self, is_meant: impl Fn(Instant) -> bool, delay: Duration) {
        let being_probed = self
            .backends
            .iter()
            .filter_map(|(backend, known)| match known.state {
                State::Probing { reason, from, .. } if is_meant(from) => Some((*backend, reason)),
                State::Probing { .. } | State::Ready { .. } => None,
            });
        for (backend, reason) in being_probed.collect::<Vec<_>>() {
            if let Some(known) = self.backends.remove(&backend) {
                known.state.stop_probing();
                self.start(backend, known.record.clone(), reason, delay);
            }
        }
    }

    fn start(&mut self, backend: SocketAddr, record: Record, reason: Reason, delay: Duration) {
        let open_for = record.trust.open_for();
        let exchange = match self.settings.probe {
            Probe::Knative => Exchange::Knative,
            Probe::Tcp => Exchange::Tcp { open_for },
            Probe::None if reason == Reason::SetAside => Exchange::Tcp { open_for },
            Probe::None => return self.ready(backend, record),
        };
        let attempts = Attempts {
            revision: self.revision.clone(),
            owner: self.owner,
            backend,
            log: Arc::clone(&record.log),
            exchange,
            settings: self.settings,
            probes: Arc::clone(&self.probes),
        };
        let task = self.probing.spawn(attempts.until_ready(delay));
        let state = State::Probing {
            task,
            reason,
            from: Instant::now() + delay,
        };
        self.backends.insert(backend, Known { state, record });
    }

    fn probed(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, failed) = match &ended {
            Ok((task, ())) => (*task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let probed_by_it = |(backend, known): (&SocketAddr, &Known)| match &known.state {
            State::Probing {
                task: own, reason, ..
            } if own.id() == task => Some((*backend, known.record.clone(), *reason)),
            _ => None,
        };
        let Some((backend, record, reason)) = self.backends.iter().find_map(probed_by_it) else {
            // It was stopped, and may have ended at the same moment.
            return;
        };
        match failed {
            None => self.ready(backend, record),
            Some(error) => {
                tracing::error!(revision = %self.revision, %backend, %error, "probing failed and is restarted");
                self.start(backend, record, reason, self.settings.frequency);
            }
        }
    }

    fn ready(&mut self, backend: SocketAddr, record: Record) {
        // There may be a newer list than the one processed: removed backends must not come back.
        let targets = self.targets.borrow();
        if targets.backends.get(&backend) == self.named.get(&backend) {
            self.throttle.add_backend(backend);
        }
        drop(targets);
        self.is_ready(backend, record);
    }

    /// The backend is in the throttle's capacity.
    fn is_ready(&mut self, backend: SocketAddr, record: Record) {
        self.log_ready(backend, &record);
        let since = Instant::now();
        let state = State::Ready { since };
        self.backends.insert(backend, Known { state, record });
    }

    fn log_ready(&mut self, backend: SocketAddr, record: &Record) {
        let now = Instant::now();
        let (line, is_owed) = {
            let mut log = record.log.lock();
            (log.on_success(now), log.is_failing())
        };
        if let Some(failures) = line {
            let failures = Some(failures).filter(|&failures| failures > 0);
            tracing::info!(revision = %self.revision, %backend, failures, "backend is ready");
        } else if is_owed {
            self.log_at.get_or_insert(now + health_log::PAUSE);
        }
    }

    /// Logs the backends that became ready too early to be logged, and still are.
    fn log_late(&mut self) {
        self.log_at = None;
        let ready = self.backends.iter().filter_map(|(backend, known)| {
            let is_ready = matches!(known.state, State::Ready { .. });
            is_ready.then(|| (*backend, known.record.clone()))
        });
        for (backend, record) in ready.collect::<Vec<_>>() {
            if record.log.lock().is_failing() {
                self.log_ready(backend, &record);
            }
        }
    }

    fn set_aside(&mut self, backends: &[(SocketAddr, Complaint)]) {
        let is_last = self.throttle.ready_backends() == 0;
        let longest = if is_last {
            self.settings.longest_pause_of_the_last()
        } else {
            Duration::MAX
        };
        for &(backend, complaint) in backends {
            let Some(Known {
                state: State::Ready { since },
                record,
            }) = self.backends.get(&backend)
            else {
                continue;
            };
            let mut record = record.clone();
            let ready_for = since.elapsed();
            let delay = record
                .trust
                .on_set_aside(complaint, ready_for, &self.settings);
            let line = record.log.lock().on_failure(Instant::now());
            if let Some(failures) = line {
                let failures = Some(failures).filter(|&failures| failures > 1);
                let why = complaint.as_str();
                tracing::warn!(revision = %self.revision, %backend, failures, "backend is set aside: {why}");
            }
            self.start(backend, record, Reason::SetAside, delay.min(longest));
        }
    }

    fn count(&self) -> BackendCounts {
        let mut counts = BackendCounts::default();
        for known in self.backends.values() {
            *match known.state {
                State::Ready { .. } => &mut counts.ready,
                State::Probing {
                    reason: Reason::New,
                    ..
                } => &mut counts.probing,
                State::Probing {
                    reason: Reason::SetAside,
                    ..
                } => &mut counts.set_aside,
            } += 1;
        }
        counts
    }
}

/// Never ready if there is no time.
async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl State {
    fn stop_probing(&self) {
        if let Self::Probing { task, .. } = self {
            task.abort();
        }
    }
}
