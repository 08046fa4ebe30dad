//! The task of one prober: it alone says which backends are ready, so that no probe's end can contradict a newer list.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::watch;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

use super::attempts::Attempts;
use super::exchange::Exchange;
use super::{BackendCounts, Probe, ProbeSettings, Probes};
use crate::throttle::{Complaint, Throttle};

/// What the owner of a prober wants.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    pub(super) settings: ProbeSettings,
    /// Each with the number of the list that named it first: one that was gone meanwhile is another one.
    pub(super) backends: BTreeMap<SocketAddr, u64>,
    /// How many lists there were.
    pub(super) lists: u64,
}

pub(super) struct Task {
    revision: RevisionKey,
    throttle: Throttle,
    probes: Arc<Probes>,
    targets: watch::Receiver<Targets>,
    settings: ProbeSettings,
    /// Those of the list that the task knows.
    named: BTreeMap<SocketAddr, u64>,
    backends: BTreeMap<SocketAddr, State>,
    /// A task for each backend that is being probed, which ends when that is ready.
    probing: JoinSet<()>,
    counts: Arc<Mutex<BackendCounts>>,
}

enum State {
    Ready { since: Instant },
    Probing { task: AbortHandle, set_aside: bool },
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
            throttle,
            probes,
            targets,
            settings,
            named: BTreeMap::new(),
            backends: BTreeMap::new(),
            probing: JoinSet::new(),
            counts,
        }
    }

    /// Runs until the prober is dropped.
    pub(super) async fn run(mut self) {
        loop {
            tokio::select! {
                changed = self.targets.changed() => match changed {
                    Ok(()) => self.take_targets(),
                    Err(_) => return,
                },
                Some(ended) = self.probing.join_next_with_id() => self.probed(ended),
                backends = self.throttle.set_aside() => self.set_aside(&backends),
            }
            *self.counts.lock() = self.count();
        }
    }

    fn take_targets(&mut self) {
        let targets = self.targets.borrow_and_update().clone();
        let settings = targets.settings;
        let known = std::mem::replace(&mut self.named, targets.backends);
        self.backends.retain(|backend, state| {
            let stays = self.named.get(backend) == known.get(backend);
            if !stays {
                state.stop_probing();
            }
            stays
        });
        if settings != self.settings {
            self.settings = settings;
            self.probe_anew();
        }
        let is_new = |backend: &&SocketAddr| !self.backends.contains_key(*backend);
        for backend in self
            .named
            .keys()
            .filter(is_new)
            .copied()
            .collect::<Vec<_>>()
        {
            self.start(backend, false, Duration::ZERO);
        }
    }

    /// Starts again with those that are being probed, in the way that is set now.
    fn probe_anew(&mut self) {
        let being_probed = self
            .backends
            .iter()
            .filter_map(|(backend, state)| match state {
                State::Ready { .. } => None,
                State::Probing { set_aside, .. } => Some((*backend, *set_aside)),
            });
        for (backend, set_aside) in being_probed.collect::<Vec<_>>() {
            if let Some(state) = self.backends.remove(&backend) {
                state.stop_probing();
            }
            self.start(backend, set_aside, Duration::ZERO);
        }
    }

    fn start(&mut self, backend: SocketAddr, set_aside: bool, delay: Duration) {
        let exchange = match self.settings.probe {
            Probe::Knative => Exchange::Knative,
            Probe::Tcp => Exchange::Tcp,
            Probe::None if set_aside => Exchange::Tcp,
            Probe::None => return self.ready(backend),
        };
        let attempts = Attempts {
            revision: self.revision.clone(),
            backend,
            exchange,
            settings: self.settings,
            probes: Arc::clone(&self.probes),
        };
        let task = self.probing.spawn(attempts.until_ready(delay));
        self.backends
            .insert(backend, State::Probing { task, set_aside });
    }

    fn probed(&mut self, ended: Result<(Id, ()), JoinError>) {
        let (task, failed) = match &ended {
            Ok((task, ())) => (*task, None),
            Err(error) => (error.id(), Some(error)),
        };
        let probed_by_it = |(backend, state): (&SocketAddr, &State)| match state {
            State::Probing {
                task: own,
                set_aside,
            } if own.id() == task => Some((*backend, *set_aside)),
            _ => None,
        };
        let Some((backend, set_aside)) = self.backends.iter().find_map(probed_by_it) else {
            // It was stopped, and may have come to its end at the same moment.
            return;
        };
        match failed {
            None => self.ready(backend),
            Some(error) => {
                tracing::error!(revision = %self.revision, %backend, %error, "probing starts anew");
                self.start(backend, set_aside, self.settings.frequency);
            }
        }
    }

    fn ready(&mut self, backend: SocketAddr) {
        let since = Instant::now();
        // There may be a newer list than the task's: what is gone must not come back.
        let targets = self.targets.borrow();
        if targets.backends.get(&backend) == self.named.get(&backend) {
            self.throttle.add_backend(backend);
        }
        drop(targets);
        self.backends.insert(backend, State::Ready { since });
        tracing::info!(revision = %self.revision, %backend, "backend is ready");
    }

    fn set_aside(&mut self, backends: &[(SocketAddr, Complaint)]) {
        for &(backend, complaint) in backends {
            let Some(State::Ready { since }) = self.backends.get(&backend) else {
                continue;
            };
            // One that takes a probe's connection and refuses a request's must not go round without a pause.
            let delay = self.settings.frequency.saturating_sub(since.elapsed());
            let why = complaint.as_str();
            tracing::warn!(revision = %self.revision, %backend, "backend is set aside: {why}");
            self.start(backend, true, delay);
        }
    }

    fn count(&self) -> BackendCounts {
        let mut counts = BackendCounts::default();
        for state in self.backends.values() {
            *match state {
                State::Ready { .. } => &mut counts.ready,
                State::Probing {
                    set_aside: false, ..
                } => &mut counts.probing,
                State::Probing {
                    set_aside: true, ..
                } => &mut counts.set_aside,
            } += 1;
        }
        counts
    }
}

impl State {
    fn stop_probing(&self) {
        if let Self::Probing { task, .. } = self {
            task.abort();
        }
    }
}
