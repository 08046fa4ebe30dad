//! The prober of a revision: determines which of its backends are ready, and tells the throttle.
//!
//! A backend is probed until it is ready, then left alone until the throttle sets it aside. What must not live here:
//! who gets a slot (see the [throttle](crate::throttle)), and where the list of backends comes from.

mod assignment;
mod attempts;
mod evidence;
mod exchange;
mod in_cluster;
mod known;
mod lanes;
mod mesh;
mod pace;
mod schedule;
mod service;
mod share;
mod targets;
mod task;
mod trust;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::sync::{Semaphore, watch};

use reporter_metrics::BackendState;
pub use reporter_metrics::ProbeOutcome;

pub use self::in_cluster::{InCluster, Share};
pub use self::mesh::{Mesh, MeshMode};
pub use self::service::{PrivateService, PrivateServices};
pub use self::share::Part;
pub use self::targets::Listed;

use self::exchange::{Network, Tcp};
use self::lanes::Lanes;
use self::pace::Crowd;
use self::schedule::Owner;
use self::targets::{Difference, Targets};
use self::task::Task;
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
    /// The pause after a failed probe of a backend that is no longer new. Grows to a twentieth of the time that the
    /// backend has been failing, up to 1 s, and with the number of backends that are probed.
    pub frequency: Duration,
    /// The timeout of ordinary probes.
    pub timeout: Duration,
    /// The maximum timeout of the additional probes that run while ordinary ones time out. Each timeout doubles
    /// theirs, up to this.
    pub max_timeout: Duration,
    /// How those in a cluster are reached.
    pub mesh: Mesh,
}

impl Default for ProbeSettings {
    /// TCP probes with a frequency of 200 ms, a timeout of 300 ms and a maximum timeout of 10 s.
    fn default() -> Self {
        Self {
            probe: Probe::Tcp,
            frequency: Duration::from_millis(200),
            timeout: Duration::from_millis(300),
            max_timeout: Duration::from_secs(10),
            mesh: Mesh::default(),
        }
    }
}

/// How many private Services are searched at once, over all revisions.
const MOST_SEARCHES: usize = 8;

/// Shared by the probers of all revisions: the limits on probes, and the callback for their outcomes.
pub struct Probes {
    network: Box<dyn Network>,
    lanes: Lanes,
    crowd: Crowd,
    services: OnceLock<Arc<dyn PrivateServices>>,
    searches: Semaphore,
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
            crowd: Crowd::default(),
            services: OnceLock::new(),
            searches: Semaphore::new(MOST_SEARCHES),
            owners: AtomicU64::new(0),
            on_outcome: Box::new(on_outcome),
        })
    }

    /// Sets what finds private Services. Without it, requests never go through one. Only the first call counts.
    pub fn set_private_services(&self, services: Arc<dyn PrivateServices>) {
        self.services.get_or_init(|| services);
    }

    /// A number for a further revision, which from now on takes its turn.
    fn owner(&self) -> Owner {
        Owner(self.owners.fetch_add(1, Ordering::Relaxed))
    }
}

/// The number of a revision's backends by their current state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackendCounts {
    /// Ready, and in the throttle's capacity.
    pub ready: usize,
    /// Ready, and left to other activators.
    pub unassigned: usize,
    /// Not yet ready.
    pub probing: usize,
    /// Set aside, and not yet ready again.
    pub set_aside: usize,
    /// Reached through their private Service.
    pub behind_service: usize,
}

impl BackendCounts {
    /// How many are in this state.
    #[must_use]
    pub fn of(&self, state: BackendState) -> usize {
        match state {
            BackendState::Probing => self.probing,
            BackendState::Ready => self.ready,
            BackendState::SetAside => self.set_aside,
            BackendState::Unassigned => self.unassigned,
            BackendState::BehindService => self.behind_service,
        }
    }

    fn all_ready(&self) -> usize {
        self.ready + self.unassigned
    }
}

/// Called with the private Service before requests go through it, and with `None` once none do.
pub type OnService = Box<dyn Fn(Option<PrivateService>) + Send + Sync>;

/// Keeps the ready backends of a throttle up to date. Dropping it ends probing; ready backends then stay ready.
pub struct Prober {
    throttle: Throttle,
    targets: watch::Sender<Targets>,
    outlook: Arc<Mutex<Outlook>>,
}

/// How many backends are shown one by one.
const MOST_SHOWN: usize = 100;

/// What is known of the backends by now.
#[derive(Default)]
struct Outlook {
    counts: BackendCounts,
    /// The first of them.
    states: Vec<(SocketAddr, BackendState)>,
}

impl Prober {
    /// Starts a prober without backends, as a task on the current tokio runtime.
    ///
    /// A throttle has one prober. `revision` is its name in logs. `on_service` must return soon.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[must_use = "probing ends when it is dropped"]
    pub fn spawn(
        revision: RevisionKey,
        throttle: Throttle,
        settings: ProbeSettings,
        probes: Arc<Probes>,
        on_service: OnService,
    ) -> Self {
        let (sender, latest) = watch::channel(Targets::new(settings));
        let outlook = Arc::default();
        let task_outlook = Arc::clone(&outlook);
        let task = Task::new(
            revision,
            throttle.clone(),
            probes,
            latest,
            task_outlook,
            on_service,
        );
        tokio::spawn(task.run());
        Self {
            throttle,
            targets: sender,
            outlook,
        }
    }

    /// Sets the revision's backends. Those already known keep their state.
    ///
    /// When this returns, removed backends have left the capacity. New ones join it once they are ready, which with
    /// [`Probe::None`] outside of a cluster is before this returns.
    pub fn set_backends(&self, listed: impl Into<Listed>) {
        let listed = listed.into();
        let mut ready = Vec::new();
        self.targets.send_modify(|targets| {
            let Difference { gone, joined } = targets.set(listed);
            // Inside the closure, so that it cannot overlap with the task reading the list.
            for backend in gone {
                self.throttle.remove_backend(backend);
            }
            ready = joined;
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
        self.outlook.lock().counts
    }

    /// The first 100 backends by address, each with its state.
    #[must_use]
    pub fn states(&self) -> Vec<(SocketAddr, BackendState)> {
        self.outlook.lock().states.clone()
    }
}

#[cfg(test)]
mod tests;
