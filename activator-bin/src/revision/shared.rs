//! What all revisions share: the limit on queued requests, and how their backends are probed.

use std::sync::Arc;

use parking_lot::Mutex;
use reporter_core::RevisionKey;
use tokio::runtime::Handle;

use super::backends::Backends;
use super::spec::RevisionSpec;
use crate::probe::{Mesh, PrivateServices, Probe, ProbeOutcome, ProbeSettings, Prober, Probes};
use crate::throttle::{QueueBudget, QueuePermit, Throttle, ThrottleLimits};
use crate::upstream::Recall;

/// Settings that apply to all revisions.
pub(crate) struct SharedSettings {
    /// The most queued requests, over all revisions.
    pub(crate) max_queued_requests: usize,
    /// The most probes at once.
    pub(crate) max_parallel_probes: usize,
    /// Its kind of probe is each revision's own.
    pub(crate) probe: ProbeSettings,
    /// The threads that have connections to backends.
    pub(crate) workers: usize,
}

/// What all revisions share.
pub(crate) struct Shared {
    budget: Arc<QueueBudget>,
    probes: Arc<Probes>,
    /// Its kind of probe is each revision's own, and how instances in a cluster are reached is below.
    probe: ProbeSettings,
    mesh: Mutex<Mesh>,
    /// Probers run here, whichever thread adds a revision.
    runtime: Handle,
    /// Notified when backends are removed.
    pub(super) recall: Recall,
}

impl Shared {
    /// Backends are probed on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn new(
        settings: &SharedSettings,
        on_outcome: impl Fn(ProbeOutcome) + Send + Sync + 'static,
    ) -> Self {
        Self {
            budget: QueueBudget::new(settings.max_queued_requests),
            probes: Probes::new(settings.max_parallel_probes, on_outcome),
            probe: settings.probe,
            mesh: Mutex::new(settings.probe.mesh),
            runtime: Handle::current(),
            recall: Recall::new(settings.workers),
        }
    }

    /// Generous limits; probe outcomes are ignored.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let settings = SharedSettings {
            max_queued_requests: 1_000,
            max_parallel_probes: 100,
            probe: ProbeSettings::default(),
            workers: 1,
        };
        Self::new(&settings, |_| ())
    }

    /// The right of one more request to wait.
    pub(super) fn queue_permit(&self) -> Option<QueuePermit> {
        self.budget.permit()
    }

    pub(super) fn throttle(&self, config: &RevisionSpec) -> Throttle {
        Throttle::new(limits(config), Arc::clone(&self.budget))
    }

    /// How instances in a cluster are reached.
    pub(super) fn mesh(&self) -> Mesh {
        *self.mesh.lock()
    }

    /// Returns whether this is a change.
    pub(super) fn set_mesh(&self, mesh: Mesh) -> bool {
        std::mem::replace(&mut *self.mesh.lock(), mesh) != mesh
    }

    pub(super) fn set_private_services(&self, services: Arc<dyn PrivateServices>) {
        self.probes.set_private_services(services);
    }

    /// A prober without backends, which adds the private Service to `backends` while requests go through it.
    pub(super) fn prober(
        &self,
        config: &RevisionSpec,
        throttle: Throttle,
        backends: &Arc<Backends>,
    ) -> Prober {
        let _entered = self.runtime.enter();
        let revision: RevisionKey = config.key.clone();
        let settings = self.probe_settings(config);
        let probes = Arc::clone(&self.probes);
        let (backends, recall) = (Arc::clone(backends), self.recall.clone());
        let on_service = move |service| {
            if backends.set_service(service) {
                recall.on_unkept();
            }
        };
        let on_service = Box::new(on_service);
        Prober::spawn(revision, throttle, settings, probes, on_service)
    }

    pub(super) fn probe_settings(&self, config: &RevisionSpec) -> ProbeSettings {
        ProbeSettings {
            probe: probe(config),
            mesh: self.mesh(),
            ..self.probe
        }
    }
}

/// What shows that a backend is ready. Whoever starts instances lists them once they are.
pub(super) fn probe(config: &RevisionSpec) -> Probe {
    config.launch.as_ref().map_or(config.probe, |_| Probe::None)
}

pub(super) fn limits(config: &RevisionSpec) -> ThrottleLimits {
    ThrottleLimits {
        container_concurrency: config.container_concurrency,
        queue_depth: config.queue_depth,
    }
}
