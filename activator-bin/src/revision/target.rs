//! A revision that is served: one object for as long as it is, whatever changes about it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use reporter_core::RevisionKey;

use super::backend::Backends;
use super::shared::{Shared, limits};
use crate::config::RevisionConfig;
use crate::probe::Prober;
use crate::throttle::Throttle;
use crate::timeouts::TimeoutLimits;

/// A revision that is served. Requests hold on to it, so that what they share outlives every change.
pub(crate) struct Target {
    pub(crate) key: RevisionKey,
    /// Where its requests wait.
    pub(crate) throttle: Throttle,
    pub(crate) prober: Prober,
    pub(crate) backends: Backends,
    config: ArcSwap<RevisionConfig>,
}

impl Target {
    pub(super) fn new(config: &Arc<RevisionConfig>, shared: &Shared) -> Self {
        let throttle = shared.throttle(config);
        Self {
            key: config.key.clone(),
            prober: shared.prober(config, throttle.clone()),
            throttle,
            backends: Backends::new(&config.backends, tls(config)),
            config: ArcSwap::new(Arc::clone(config)),
        }
    }

    /// What it was told last.
    pub(super) fn config(&self) -> Arc<RevisionConfig> {
        self.config.load_full()
    }

    /// How long a request that comes now may take.
    pub(crate) fn timeouts(&self) -> TimeoutLimits {
        self.config.load().timeouts
    }

    /// Becomes what `config` says, of the same key; false when it is that already.
    ///
    /// For one caller at a time.
    pub(super) fn apply(&self, config: &Arc<RevisionConfig>, shared: &Shared) -> bool {
        let before = self.config.swap(Arc::clone(config));
        if limits(&before) != limits(config) {
            self.throttle.set_limits(limits(config));
        }
        if before.probe != config.probe {
            self.prober.set_settings(shared.probe_settings(config));
        }
        if (&before.backends, before.tls) != (&config.backends, config.tls) {
            self.backends.set(&config.backends, tls(config));
        }
        if before.backends != config.backends {
            self.prober.set_backends(config.backends.clone());
        }
        before != *config
    }
}

/// The namespace that its backends have to prove over TLS, if that is what they speak.
fn tls(config: &RevisionConfig) -> Option<Arc<str>> {
    config.tls.then(|| config.key.namespace().into())
}
