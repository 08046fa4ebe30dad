//! The prober of a revision: finds out which of its backends are ready, and tells the throttle.
//!
//! A backend is probed until it is found ready, then left alone until the throttle sets it aside.
//! What must not live here: who gets a slot (the [throttle](crate::throttle)'s), where lists of
//! backends come from.

mod attempts;
mod exchange;
mod lanes;
mod pace;
mod schedule;
mod task;
mod trust;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::watch;

pub use reporter_metrics::ProbeOutcome;

use self::exchange::{Network, Tcp};
use self::lanes::Lanes;
use self::schedule::Owner;
use self::task::{Named, Targets, Task};
use crate::throttle::Throttle;

/// How a backend shows that it is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probe {
    /// It answers `GET /healthz`, sent as Knative's activator sends it, with 200 and the body `queue`.
    Knative,
    /// It takes a TCP connection and does not close it at once.
    #[default]
    Tcp,
    /// It is ready as soon as it is named. Set aside, it has to pass a probe by TCP first.
    None,
}

/// How a revision's backends are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// How a backend shows that it is ready.
    pub probe: Probe,
    /// The pause after a failed probe. It grows to a twentieth of the time that a backend has been failing, up to 1 s.
    pub frequency: Duration,
    /// How long a probe may take at first.
    pub timeout: Duration,
    /// How long one may take that runs beside those for a backend that they time out on; it doubles up to this.
    pub max_timeout: Duration,
}

impl Default for ProbeSettings {
    /// A TCP connection, every 200 ms, within 300 ms or up to 10 s.
    fn default() -> Self {
        Self {
            probe: Probe::Tcp,
            frequency: Duration::from_millis(200),
            timeout: Duration::from_millis(300),
            max_timeout: Duration::from_secs(10),
        }
    }
}

/// What the probers of all revisions share: the bound on parallel probes, and who hears of each outcome.
pub struct Probes {
    network: Box<dyn Network>,
    lanes: Lanes,
    owners: AtomicU64,
    on_outcome: Box<dyn Fn(ProbeOutcome) + Send + Sync>,
}

impl Probes {
    /// At most `max_parallel` probes at once (2 at least), of which half may have more than the short time-out.
    ///
    /// The first probe of a backend that is new or has just been set aside goes before others, and revisions take turns.
    #[must_use]
    pub fn new(
        max_parallel: usize,
        on_outcome: impl Fn(ProbeOutcome) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::over(Tcp, max_parallel, on_outcome)
    }

    fn over(
        network: impl Network + 'static,
        max_parallel: usize,
        on_outcome: impl Fn(ProbeOutcome) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            network: Box::new(network),
            lanes: Lanes::new(max_parallel),
            owners: AtomicU64::new(0),
            on_outcome: Box::new(on_outcome),
        })
    }

    /// A revision that takes its turns from now on.
    fn owner(&self) -> Owner {
        Owner(self.owners.fetch_add(1, Ordering::Relaxed))
    }
}

/// A revision's backends by what they are right now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendCounts {
    /// Part of the throttle's capacity.
    pub ready: usize,
    /// New, and not found ready so far.
    pub probing: usize,
    /// Set aside, and not found ready again so far.
    pub set_aside: usize,
}

/// Keeps the ready backends of one throttle up to date. Probing ends when it is dropped; what is ready then stays so.
pub struct Prober {
    throttle: Throttle,
    targets: watch::Sender<Targets>,
    counts: Arc<Mutex<BackendCounts>>,
}

impl Prober {
    /// Starts a prober without backends in a task on the current tokio runtime.
    ///
    /// A throttle has one prober. `revision` is what logs call it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use = "probing ends when it is dropped"]
    pub fn spawn(
        revision: RevisionKey,
        throttle: Throttle,
        settings: ProbeSettings,
        probes: Arc<Probes>,
    ) -> Self {
        let (sender, targets) = watch::channel(Targets {
            settings,
            backends: BTreeMap::new(),
            lists: 0,
        });
        let counts = Arc::default();
        let task_counts = Arc::clone(&counts);
        let task = Task::new(revision, throttle.clone(), probes, targets, task_counts);
        tokio::spawn(task.run());
        Self {
            throttle,
            targets: sender,
            counts,
        }
    }

    /// The revision's backends from now on. Those that were there before stay as they are.
    ///
    /// A backend that is gone has left the capacity when this returns, a new one joins it when it is
    /// ready: by then as well with [`Probe::None`], so that nobody waits for that. Named twice it counts once.
    pub fn set_backends(&self, backends: Vec<SocketAddr>) {
        let mut ready = Vec::new();
        self.targets.send_modify(|targets| {
            let before = std::mem::take(&mut targets.backends);
            targets.lists += 1;
            let new = Named {
                list: targets.lists,
                is_ready: targets.settings.probe == Probe::None,
            };
            let named = |backend| (backend, *before.get(&backend).unwrap_or(&new));
            targets.backends = backends.into_iter().map(named).collect();
            // Within the change, which the task's own look at the list cannot overlap.
            for &gone in before
                .keys()
                .filter(|it| !targets.backends.contains_key(it))
            {
                self.throttle.remove_backend(gone);
            }
            let is_new = |named: &Named| named.list == new.list && new.is_ready;
            let added = targets.backends.iter().filter(|it| is_new(it.1));
            ready.extend(added.map(|(backend, _)| *backend));
        });
        // Not within the change: it may wake those who wait.
        for backend in ready {
            self.throttle.add_backend(backend);
        }
    }

    /// Changes how backends are probed that are not ready. Those that are stay so.
    pub fn set_settings(&self, settings: ProbeSettings) {
        self.targets
            .send_modify(|targets| targets.settings = settings);
    }

    /// The revision's backends by what they are right now.
    #[must_use]
    pub fn counts(&self) -> BackendCounts {
        *self.counts.lock()
    }
}

#[cfg(test)]
mod tests;
