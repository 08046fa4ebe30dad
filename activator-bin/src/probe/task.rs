//! The task of one prober. It alone decides which backends are ready, so that the end of a probe cannot contradict a
//! newer list.

mod list;
mod log;
mod settle;
mod via;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::{Notify, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use self::via::Via;
use super::assignment::Assignment;
use super::attempts::Attempts;
use super::exchange::Exchange;
use super::known::{Known, Reason, Record, State};
use super::schedule::Owner;
use super::targets::Targets;
use super::{BackendCounts, MOST_SHOWN, OnService, Outlook, Probe, Probes};
use crate::os::timer::until;
use crate::throttle::{Complaint, Throttle};

pub(super) struct Task {
    revision: RevisionKey,
    owner: Owner,
    throttle: Throttle,
    probes: Arc<Probes>,
    latest: watch::Receiver<Targets>,
    /// What is asked for, as far as the task has processed it.
    targets: Targets,
    /// Those that are listed, unless requests go through the private Service.
    backends: BTreeMap<SocketAddr, Known>,
    assignment: Assignment,
    /// One task per backend being probed, which ends when the backend is ready.
    probing: JoinSet<()>,
    /// Notified when a backend responds to probes in another way than before.
    answered: Arc<Notify>,
    via: Via,
    outlook: Arc<Mutex<Outlook>>,
    /// When to log backends that became ready too soon after the last log line about them.
    log_at: Option<Instant>,
}

impl Task {
    pub(super) fn new(
        revision: RevisionKey,
        throttle: Throttle,
        probes: Arc<Probes>,
        mut latest: watch::Receiver<Targets>,
        outlook: Arc<Mutex<Outlook>>,
        on_service: OnService,
    ) -> Self {
        let settings = latest.borrow_and_update().settings;
        Self {
            revision,
            owner: probes.owner(),
            throttle,
            probes,
            latest,
            targets: Targets::new(settings),
            backends: BTreeMap::new(),
            assignment: Assignment::default(),
            probing: JoinSet::new(),
            answered: Arc::default(),
            via: Via::new(on_service),
            outlook,
            log_at: None,
        }
    }

    /// Runs until the prober is dropped.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                // The list first: backends set aside may only be in the newest one.
                biased;
                changed = self.latest.changed() => match changed {
                    Ok(()) => self.take_targets(),
                    Err(_) => return,
                },
                Some(ended) = self.probing.join_next_with_id() => {
                    self.probed(ended);
                    while let Some(ended) = self.probing.try_join_next_with_id() {
                        self.probed(ended);
                    }
                }
                backends = self.throttle.set_aside() => self.set_aside(&backends),
                Some(found) = self.via.under_way.join_next() => self.found(found),
                () = until(self.via.look_at) => self.look(),
                () = self.answered.notified() => {}
                () = until(self.log_at) => self.log_late(),
            }
            self.settle();
            self.search();
            let counts = self.count();
            let states = self.states();
            let now = Outlook { counts, states };
            let before = std::mem::replace(&mut *self.outlook.lock(), now).counts;
            if counts.all_ready() == 0 && before.all_ready() > 0 {
                self.hurry();
            }
        }
    }

    /// Restarts the probing of backends, with the current settings.
    fn probe_anew(&mut self) {
        self.start_again(|_| true, Duration::ZERO);
    }

    /// No other backend is ready, so none is left alone for long.
    fn hurry(&mut self) {
        let delay = self.targets.settings.longest_pause_of_the_last();
        let latest = Instant::now() + delay;
        self.start_again(|from| from > latest, delay);
    }

    /// Restarts the probing of backends whose first probe is due at a time that matches `is_meant`.
    fn start_again(&mut self, is_meant: impl Fn(Instant) -> bool, delay: Duration) {
        let being_probed = self
            .backends
            .iter()
            .filter_map(|(backend, known)| match known.state {
                State::Probing { from, .. } if is_meant(from) => Some(*backend),
                State::Probing { .. } | State::Ready { .. } => None,
            });
        for backend in being_probed.collect::<Vec<_>>() {
            self.restart(backend, delay);
        }
    }

    /// Restarts the probing of a backend.
    fn restart(&mut self, backend: SocketAddr, delay: Duration) {
        if let Some(Known { state, record }) = self.backends.remove(&backend) {
            state.stop_probing();
            let (reason, since) = match state {
                State::Probing { reason, since, .. } => (reason, since),
                State::Ready { .. } => (Reason::Demoted, Instant::now()),
            };
            self.start(backend, record, reason, since, delay);
        }
    }

    /// Probes a backend after `delay`, unless it needs no probe.
    fn start(
        &mut self,
        backend: SocketAddr,
        record: Record,
        reason: Reason,
        since: Instant,
        delay: Duration,
    ) {
        if reason != Reason::SetAside && self.targets.is_trusted(backend) {
            return self.ready(backend, record);
        }
        let exchange = match self.targets.settings.probe {
            Probe::Knative => self.via.exchange_with_instances(),
            Probe::Tcp | Probe::None => Exchange::Tcp {
                open_for: record.trust.open_for(),
                socket: self.targets.sockets.get(&backend).cloned(),
            },
        };
        let from = Instant::now() + delay;
        let attempts = Attempts {
            exchange,
            is_new: reason == Reason::New && self.targets.trusts_probe(backend),
            since,
            ..self.attempts(backend, &record)
        };
        let task = self
            .probing
            .spawn(async move { attempts.until_ready(from).await });
        let state = State::Probing {
            task,
            reason,
            from,
            since,
        };
        self.backends.insert(backend, Known { state, record });
    }

    /// Attempts to probe a backend, of the kind that a Service gets.
    fn attempts(&self, backend: SocketAddr, record: &Record) -> Attempts {
        Attempts {
            revision: self.revision.clone(),
            owner: self.owner,
            backend,
            seen: Arc::clone(&record.seen),
            answered: Arc::clone(&self.answered),
            exchange: Exchange::OF_SERVICE,
            settings: self.targets.settings,
            probes: Arc::clone(&self.probes),
            is_new: true,
            since: Instant::now(),
        }
    }

    fn probed(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, failed) = match &ended {
            Ok((task, ())) => (*task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let probed_by_it = |(backend, known): (&SocketAddr, &Known)| match &known.state {
            State::Probing {
                task: own,
                reason,
                since,
                ..
            } if own.id() == task => Some((*backend, known.record.clone(), *reason, *since)),
            _ => None,
        };
        let Some((backend, record, reason, since)) = self.backends.iter().find_map(probed_by_it)
        else {
            // It was stopped, and may have ended at the same moment.
            return;
        };
        match failed {
            None if self.targets.trusts_probe(backend) => self.ready(backend, record),
            None => {
                // It waits until Kubernetes calls it ready. Until then, probes only show that it responds.
                let failing_for = since.elapsed();
                let settings = &self.targets.settings;
                let pause = self.probes.crowd.join(false).pause(settings, failing_for);
                self.start(backend, record, reason, since, pause);
            }
            Some(error) => {
                let called = self.targets.called(backend);
                tracing::error!(revision = %self.revision, backend = %called, %error, "probing failed and is restarted");
                let pause = self.targets.settings.frequency;
                self.start(backend, record, reason, since, pause);
            }
        }
    }

    /// The backend is ready, and gets requests if it is one of this activator's.
    fn ready(&mut self, backend: SocketAddr, record: Record) {
        self.assignment.on_healthy(backend);
        self.is_ready(backend, record);
    }

    fn is_ready(&mut self, backend: SocketAddr, record: Record) {
        self.log_ready(backend, &record);
        let since = Instant::now();
        let state = State::Ready { since };
        self.backends.insert(backend, Known { state, record });
    }

    fn set_aside(&mut self, backends: &[(SocketAddr, Complaint)]) {
        let is_last = self.throttle.ready_backends() == 0;
        let longest = if is_last {
            self.targets.settings.longest_pause_of_the_last()
        } else {
            Duration::MAX
        };
        for &(backend, complaint) in backends {
            if self.via.leads_to(backend) {
                self.set_service_aside(complaint);
                continue;
            }
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
                .on_set_aside(complaint, ready_for, &self.targets.settings);
            self.log_set_aside(backend, &record, complaint);
            record.seen.lock().answer = None;
            self.assignment.on_set_aside(backend);
            let delay = delay.min(longest);
            self.start(backend, record, Reason::SetAside, Instant::now(), delay);
        }
    }
}
