//! A revision that is awake. It stays the same object across changes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use reporter_core::{Revision, RevisionKey};

use super::backends::Backends;
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
    pub(crate) backends: Backends,
    pub(super) usage: Usage,
    config: ArcSwap<RevisionSpec>,
}

impl ServedRevision {
    pub(super) fn new(config: &Arc<RevisionSpec>, shared: &Shared) -> Self {
        let throttle = shared.throttle(config);
        Self {
            key: config.key.clone(),
            prober: shared.prober(config, throttle.clone()),
            throttle,
            backends: Backends::new(&config.backends, tls(config), config.container_concurrency),
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
        if self.backends.set(&[], None, 0) {
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
        let limit = config.container_concurrency;
        if (&before.backends, before.tls, before.container_concurrency)
            != (&config.backends, config.tls, limit)
            && self.backends.set(&config.backends, tls(config), limit)
        {
            shared.recall.on_unkept();
        }
        let of_instances = |it: &RevisionSpec| (it.container_concurrency, it.cluster.clone());
        if before.backends != config.backends || of_instances(&before) != of_instances(config) {
            self.prober.set_backends(listed(config));
        }
    }
}

/// The namespace that its backends' certificates are verified for, if they use TLS.
fn tls(config: &RevisionSpec) -> Option<Arc<str>> {
    config.tls.then(|| config.key.namespace().into())
}
