//! A revision that is awake. It stays the same object across changes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderValue;
use reporter_core::{Revision, RevisionKey};

use super::backends::{Backends, Reach};
use super::shared::{Shared, limits, listed};
use super::spec::RevisionSpec;
use super::usage::Usage;
use crate::probe::Prober;
use crate::throttle::Throttle;
use crate::timeouts::TimeoutLimits;
use crate::upstream::protocol::Protocol;

/// A revision that is awake. Requests hold a reference, so what they share outlives every change.
pub(crate) struct ServedRevision {
    pub(crate) key: RevisionKey,
    /// Its queue.
    pub(crate) throttle: Throttle,
    pub(crate) prober: Prober,
    pub(crate) backends: Arc<Backends>,
    pub(super) usage: Usage,
    config: ArcSwap<RevisionSpec>,
}

impl ServedRevision {
    pub(super) fn new(config: &Arc<RevisionSpec>, shared: &Shared) -> Self {
        let throttle = shared.throttle(config);
        let backends = Arc::new(Backends::default());
        let limit = config.container_concurrency;
        backends.set(&config.backends, reach(config, shared), limit);
        Self {
            key: config.key.clone(),
            prober: shared.prober(config, throttle.clone(), &backends),
            throttle,
            backends,
            usage: Usage::new(),
            config: ArcSwap::new(Arc::clone(config)),
        }
    }

    /// The last specification applied.
    pub(super) fn config(&self) -> Arc<RevisionSpec> {
        self.config.load_full()
    }

    /// Its service and configuration.
    pub(crate) fn origin(&self) -> Revision {
        self.config.load().revision.clone()
    }

    /// How long a new request may take.
    pub(crate) fn timeouts(&self) -> TimeoutLimits {
        self.config.load().timeouts
    }

    /// The HTTP version for a new request.
    pub(crate) fn protocol(&self) -> Protocol {
        self.config.load().protocol
    }

    /// Refuses queued requests and drops idle connections, since the revision is no longer served.
    pub(super) fn close(&self, shared: &Shared) {
        self.throttle.close();
        if self.backends.clear() {
            shared.recall.on_unkept();
        }
    }

    /// Applies a new specification with the same key. Must not be called concurrently.
    pub(super) fn apply(&self, config: &Arc<RevisionSpec>, shared: &Shared) {
        let before = self.config.swap(Arc::clone(config));
        if limits(&before) != limits(config) {
            self.throttle.set_limits(limits(config));
        }
        if before.probe != config.probe {
            self.prober.set_settings(shared.probe_settings(config));
        }
        let is_same = before.backends == config.backends
            && before.container_concurrency == config.container_concurrency
            && before.cluster == config.cluster;
        if !is_same || before.tls != config.tls {
            self.reach_backends(config, shared);
        }
        if !is_same {
            self.prober.set_backends(listed(config));
        }
    }

    /// Applies another way to reach the instances in a cluster. Must not be called concurrently.
    pub(super) fn apply_mesh(&self, shared: &Shared) {
        let config = self.config();
        if config.cluster.is_some() {
            self.reach_backends(&config, shared);
            self.prober.set_settings(shared.probe_settings(&config));
        }
    }

    fn reach_backends(&self, config: &RevisionSpec, shared: &Shared) {
        let (reach, limit) = (reach(config, shared), config.container_concurrency);
        if self.backends.set(&config.backends, reach, limit) {
            shared.recall.on_unkept();
        }
    }
}

/// How its backends are reached.
fn reach(config: &RevisionSpec, shared: &Shared) -> Reach {
    let namespace = config.key.namespace();
    let cluster = config.cluster.as_deref();
    let name = cluster.and_then(|it| it.name_in(shared.mesh(), namespace));
    Reach {
        tls: config.tls.then(|| namespace.into()),
        tls_port: cluster.and_then(|it| it.tls_port),
        host: name.and_then(|name| HeaderValue::try_from(name).ok()),
    }
}
