//! What all revisions share: the room to wait in, and how their backends are probed.

use std::sync::Arc;

use reporter_core::RevisionKey;
use tokio::runtime::Handle;

use crate::config::{Config, RevisionConfig};
use crate::probe::{ProbeOutcome, ProbeSettings, Prober, Probes};
use crate::throttle::{Limits, QueueBudget, Throttle};
use crate::upstream::Recall;

/// What all revisions share.
pub struct Shared {
    budget: Arc<QueueBudget>,
    probes: Arc<Probes>,
    /// Which way is each revision's own choice.
    probe: ProbeSettings,
    /// Where probers run, whoever adds a revision.
    runtime: Handle,
    /// Told when backends are taken out.
    pub(super) recall: Recall,
}

impl Shared {
    /// As `[throttle]` and `[probe]` of `config` say. Backends are probed on the current tokio runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn new(config: &Config, on_outcome: impl Fn(ProbeOutcome) + Send + Sync + 'static) -> Self {
        Self {
            budget: QueueBudget::new(config.throttle.max_queued_requests),
            probes: Probes::new(config.probe.max_parallel, on_outcome),
            probe: ProbeSettings {
                frequency: config.probe.frequency,
                timeout: config.probe.timeout,
                max_timeout: config.probe.max_timeout,
                ..ProbeSettings::default()
            },
            runtime: Handle::current(),
            recall: Recall::new(config.workers),
        }
    }

    pub(super) fn throttle(&self, config: &RevisionConfig) -> Throttle {
        Throttle::new(limits(config), Arc::clone(&self.budget))
    }

    pub(super) fn prober(&self, config: &RevisionConfig, throttle: Throttle) -> Prober {
        let _entered = self.runtime.enter();
        let revision: RevisionKey = config.key.clone();
        let settings = self.probe_settings(config);
        let prober = Prober::spawn(revision, throttle, settings, Arc::clone(&self.probes));
        prober.set_backends(config.backends.clone());
        prober
    }

    pub(super) fn probe_settings(&self, config: &RevisionConfig) -> ProbeSettings {
        ProbeSettings {
            probe: config.probe,
            ..self.probe
        }
    }
}

pub(super) fn limits(config: &RevisionConfig) -> Limits {
    Limits {
        container_concurrency: config.container_concurrency,
        queue_depth: config.queue_depth,
    }
}
