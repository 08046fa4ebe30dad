//! The prober of a revision: determines which of its backends are ready, and tells the throttle.
//!
//! A backend is probed until it is ready, then left alone until the throttle sets it aside. What must not live here:
//! who gets a slot (see the [throttle](crate::throttle)), and where the list of backends comes from.

mod attempts;
mod exchange;
mod in_cluster;
mod lanes;
mod mesh;
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

pub use self::in_cluster::{InCluster, Share};
pub use self::mesh::{Mesh, MeshMode};

use self::exchange::{Network, Tcp};
use self::lanes::Lanes;
use self::schedule::Owner;
use self::task::{Named, Targets, Task};
use crate::throttle::Throttle;

/// What shows that a backend is ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Probe {
    /// It responds to `GET /healthz`, sent like a probe of Knative's activator, with 200 and the body `queue`.
    Knative,
    /// It accepts a TCP connection and does not close it at once.
    #[default]
    Tcp,
    /// Nothing: it is ready as soon as it is listed. Once set aside, it must pass a TCP probe.
    None,
}

/// How the backends of a revision are probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeSettings {
    /// What shows that a backend is ready.
    pub probe: Probe,
    /// The pause after a failed probe. Grows to a twentieth of the time that a backend has been failing, up to 1 s.
    pub frequency: Duration,
    /// The timeout of ordinary probes.
    pub timeout: Duration,
    /// The maximum timeout of the additional probes that run while ordinary ones time out. Each timeout doubles
    /// theirs, up to this.
    pub max_timeout: Duration,
}

impl Default for ProbeSettings {
    /// TCP probes with a frequency of 200 ms, a timeout of 300 ms and a maximum timeout of 10 s.
    fn default() -> Self {
        Self {
            probe: Probe::Tcp,
            frequency: Duration::from_millis(200),
            timeout: Duration::from_millis(300),
            max_timeout: Duration::from_secs(10),
        }
    }
}

/// Shared by the probers of all revisions: the limit on parallel probes, and the callback for their outcomes.
pub struct Probes {
    network: Box<dyn Network>,
    lanes: Lanes,
    owners: AtomicU64,
    on_outcome: Box<dyn Fn(ProbeOutcome) + Send + Sync>,
}

impl Probes {
    /// Runs at most `max_parallel` probes at once (at least 2), up to half of them with a longer timeout.
    ///
    /// The first probe of a backend that is new or was just set aside has priority, and revisions take turns.
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

    /// A number for a further revision, which from now on takes its turn.
    fn owner(&self) -> Owner {
        Owner(self.owners.fetch_add(1, Ordering::Relaxed))
    }
}

/// The number of a revision's backends by their current state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendCounts {
    /// In the throttle's capacity.
    pub ready: usize,
    /// New, and not yet ready.
    pub probing: usize,
    /// Set aside, and not yet ready again.
    pub set_aside: usize,
}

/// Keeps the ready backends of a throttle up to date. Dropping it ends probing; ready backends then stay ready.
pub struct Prober {
    throttle: Throttle,
    targets: watch::Sender<Targets>,
    counts: Arc<Mutex<BackendCounts>>,
}

impl Prober {
    /// Starts a prober without backends, as a task on the current tokio runtime.
    ///
    /// A throttle has one prober. `revision` is its name in logs.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
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

    /// Sets the revision's backends. Those already known keep their state.
    ///
    /// When this returns, removed backends have left the capacity. New ones join it once they are ready, which with
    /// [`Probe::None`] is before this returns. Duplicates are ignored.
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
            // Inside the closure, so that it cannot overlap with the task reading the list.
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
        // Outside the closure, since it may wake waiters.
        for backend in ready {
            self.throttle.add_backend(backend);
        }
    }

    /// Changes how backends that are not ready are probed. Ready ones stay ready.
    pub fn set_settings(&self, settings: ProbeSettings) {
        self.targets
            .send_modify(|targets| targets.settings = settings);
    }

    /// The number of the revision's backends by their current state.
    #[must_use]
    pub fn counts(&self) -> BackendCounts {
        *self.counts.lock()
    }
}

#[cfg(test)]
mod tests;
