//! A revision that is awake. It stays the same object across changes.

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderValue;
use parking_lot::Mutex;
use reporter_core::{Revision, RevisionKey};

use super::backends::{Backends, Reach};
use super::launch::LaunchSpec;
use super::shared::{Shared, limits, probe};
use super::spec::RevisionSpec;
use super::usage::Usage;
use crate::probe::{Listed, Prober};
use crate::throttle::{Failure, Throttle};
use crate::timeouts::TimeoutLimits;
use crate::upstream::place::Place;
use crate::upstream::protocol::Protocol;

/// A revision that is awake. Requests hold a reference, so what they share outlives every change.
pub struct ServedRevision {
    pub(crate) key: RevisionKey,
    /// Its queue.
    pub(crate) throttle: Throttle,
    pub(crate) prober: Prober,
    pub(crate) backends: Arc<Backends>,
    pub(super) usage: Usage,
    config: ArcSwap<RevisionSpec>,
    /// Its instances that were started here, while that is so.
    places: Mutex<Vec<Place>>,
}

impl ServedRevision {
    pub(super) fn new(config: &Arc<RevisionSpec>, shared: &Shared) -> Self {
        let throttle = shared.throttle(config);
        let backends = Arc::new(Backends::default());
        let served = Self {
            key: config.key.clone(),
            prober: shared.prober(config, throttle.clone(), &backends),
            throttle,
            backends,
            usage: Usage::new(),
            config: ArcSwap::new(Arc::clone(config)),
            places: Mutex::default(),
        };
        served.reach_backends(config, shared);
        served.list_backends(config);
        served
    }

    /// The last specification applied.
    pub(super) fn config(&self) -> Arc<RevisionSpec> {
        self.config.load_full()
    }

    /// Whether its instances are started here.
    pub(super) fn is_launched(&self) -> bool {
        self.config.load().launch.is_some()
    }

    /// How its instances are started, if that is done here.
    pub(crate) fn launch(&self) -> Option<Arc<LaunchSpec>> {
        self.config.load().launch.clone()
    }

    /// Its instances failed to start: until then requests do not wait for one, but are refused. `None` ends that.
    pub fn set_failed(&self, failure: Option<Failure>) {
        self.throttle.set_failure(failure);
    }

    /// Its service and configuration.
    pub(crate) fn origin(&self) -> Revision {
        self.config.load().revision.clone()
    }

    /// How long a new request may take.
    pub(crate) fn timeouts(&self) -> TimeoutLimits {
        self.config.load().timeouts
    }

    /// Whether its instances get the host that a client has named: they are what has that name, not something of a
    /// platform in front of it.
    pub(crate) fn keeps_host(&self) -> bool {
        let config = self.config.load();
        !config.hosts.is_empty() || config.launch.is_some()
    }

    /// The HTTP version for a new request.
    pub(crate) fn protocol(&self) -> Protocol {
        self.config.load().protocol
    }

    /// Refuses queued requests and drops idle connections, since the revision is no longer served.
    pub(super) fn close(&self, shared: &Shared) {
        self.throttle.close();
        if self.is_launched() {
            // Whoever stops its instances waits until they have no requests.
            self.prober.set_backends(Vec::new());
        }
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
        let other_instances = before.launch.is_some() != config.launch.is_some();
        if other_instances {
            self.places.lock().clear();
            // None of them is probed in another way meanwhile.
            self.prober.set_backends(Vec::new());
        }
        if probe(&before) != probe(config) {
            self.prober.set_settings(shared.probe_settings(config));
        }
        let is_same = !other_instances
            && before.backends == config.backends
            && before.container_concurrency == config.container_concurrency
            && before.cluster == config.cluster;
        if !is_same || before.tls != config.tls {
            self.reach_backends(config, shared);
        }
        if !is_same {
            self.list_backends(config);
        }
    }

    /// Replaces the instances that were started here. Must not be called concurrently.
    pub(super) fn set_places(&self, places: &[Place], shared: &Shared) {
        let config = self.config();
        if config.launch.is_some() {
            *self.places.lock() = places.to_vec();
            self.reach_backends(&config, shared);
            self.list_backends(&config);
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
        if self.backends.set(&self.places(config), reach, limit) {
            shared.recall.on_unkept();
        }
    }

    fn list_backends(&self, config: &RevisionSpec) {
        let places = self.places(config);
        let socket = |place: &Place| Some((place.address, place.socket.clone()?));
        self.prober.set_backends(Listed {
            backends: places.iter().map(|it| it.address).collect(),
            sockets: places.iter().filter_map(socket).collect(),
            cluster: config.cluster.clone(),
            container_concurrency: config.container_concurrency,
        });
    }

    /// Its instances: those that were started here, or those that are listed.
    fn places(&self, config: &RevisionSpec) -> Vec<Place> {
        match config.launch {
            Some(_) => self.places.lock().clone(),
            None => config.backends.iter().map(|&it| it.into()).collect(),
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
