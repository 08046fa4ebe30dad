//! Requests through the private Service, where a mesh keeps instances from being reached one by one.
//!
//! The Service is searched when probes show a mesh, and stays in use while it works. Every now and then one instance is
//! probed: if it passes, there is no mesh, and requests go to instances again.

use std::ops::Bound;

use super::*;
use crate::logging::health_log::HealthLog;
use crate::probe::evidence::shows_mesh;
use crate::probe::mesh::MeshMode;
use crate::probe::service::{PrivateService, Search};
use crate::probe::share::service_limit;

/// The time between two looks at an instance while requests go through the Service.
const BETWEEN_LOOKS: Duration = Duration::from_secs(30);

/// What is known about the private Service.
pub(super) struct Via {
    /// The Service that requests go through.
    open: Option<Open>,
    /// Its address and limit in the throttle's capacity.
    admitted: Option<(SocketAddr, Option<u32>)>,
    /// A search for the Service or a look at an instance. One at most.
    pub(super) under_way: JoinSet<Found>,
    pub(super) look_at: Option<Instant>,
    /// The last instance that was looked at.
    looked_at: Option<SocketAddr>,
    /// When the next search may begin.
    from: Instant,
    record: Record,
    /// What a mesh finds instances by.
    name: Option<Arc<str>>,
    /// Whether `on_service` was told of a Service.
    is_told: bool,
    on_service: OnService,
    log: HealthLog,
}

struct Open {
    service: PrivateService,
    since: Instant,
}

/// What something under way has found.
pub(super) enum Found {
    Service(PrivateService),
    /// This instance, and whether it passed a probe.
    Instance(SocketAddr, bool),
}

/// A change of the capacity.
pub(super) struct Change {
    pub(super) removed: Option<SocketAddr>,
    pub(super) added: Option<(SocketAddr, Option<u32>)>,
}

impl Via {
    pub(super) fn new(on_service: OnService) -> Self {
        Self {
            open: None,
            admitted: None,
            under_way: JoinSet::new(),
            look_at: None,
            looked_at: None,
            from: Instant::now(),
            record: Record::default(),
            name: None,
            is_told: false,
            on_service,
            log: HealthLog::default(),
        }
    }

    /// Whether requests go through the Service.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Whether this is the address of the Service that requests go through.
    pub(super) fn leads_to(&self, backend: SocketAddr) -> bool {
        self.admitted.is_some_and(|(address, _)| address == backend)
    }

    /// The probe that instances get.
    pub(super) fn exchange_with_instances(&self) -> Exchange {
        Exchange::Knative {
            via: self.name.clone(),
        }
    }

    /// Takes note of what a mesh finds instances by, if it takes requests for them.
    pub(super) fn name_instances(&mut self, targets: &Targets, revision: &RevisionKey) {
        self.name = targets.service_name(revision.namespace());
    }

    fn close(&mut self) {
        self.open = None;
        self.look_at = None;
        self.under_way = JoinSet::new();
    }

    /// The Service's place in the capacity, which depends on how many instances are behind it.
    pub(super) fn admit(&mut self, targets: &Targets) -> Change {
        let wanted = self.open.as_ref().and_then(|open| {
            let ready = targets.called_ready();
            let limit = service_limit(ready, targets.container_concurrency, targets.share());
            (ready > 0).then_some((open.service.http, limit))
        });
        let before = std::mem::replace(&mut self.admitted, wanted);
        let address = |admitted: (SocketAddr, _)| admitted.0;
        Change {
            removed: before
                .map(address)
                .filter(|&gone| wanted.map(address) != Some(gone)),
            added: wanted.filter(|_| wanted != before),
        }
    }

    /// Tells that requests no longer go through the Service, once it has left the capacity.
    pub(super) fn forget_closed(&mut self) {
        if self.open.is_none() && std::mem::take(&mut self.is_told) {
            (self.on_service)(None);
        }
    }
}

impl Task {
    /// Checks whether what is known about the Service still holds.
    pub(super) fn check_service(&mut self, before: &Targets) {
        let service = |targets: &Targets| {
            let cluster = targets.cluster.as_ref()?;
            Some((Arc::clone(&cluster.private_service), cluster.http2))
        };
        let is_same = service(&self.targets) == service(before);
        if self.targets.backends.is_empty() || !self.targets.allows_service() || !is_same {
            self.via.close();
            self.via.from = Instant::now();
            self.via.record = Record::default();
        } else if self.targets.settings != before.settings {
            self.plan_look();
        }
    }

    /// Searches for the Service if it is needed, and only then.
    pub(super) fn search(&mut self) {
        if self.via.is_open() {
            return;
        }
        let is_searching = !self.via.under_way.is_empty();
        match (self.needs_service(), is_searching) {
            (false, true) => self.via.under_way = JoinSet::new(),
            (true, false) => {
                let Some(cluster) = &self.targets.cluster else {
                    return;
                };
                let search = Search {
                    cluster: Arc::clone(cluster),
                    attempts: self.attempts(UNKNOWN, &self.via.record),
                };
                let from = self.via.from;
                let search = async move { Found::Service(search.until_found(from).await) };
                self.via.under_way.spawn(search);
            }
            (true, true) | (false, false) => {}
        }
    }

    fn needs_service(&self) -> bool {
        if !self.targets.allows_service() || self.probes.services.get().is_none() {
            return false;
        }
        if !self.targets.allows_instances() {
            return self.targets.called_ready() > 0;
        }
        let is_ready = |known: &Known| matches!(known.state, State::Ready { .. });
        !self.backends.values().any(is_ready) && self.shows_mesh()
    }

    fn shows_mesh(&self) -> bool {
        shows_mesh(self.backends.iter().map(|(backend, known)| {
            let named = self.targets.backends.get(backend);
            let is_called_ready = named.is_some_and(|it| it.is_called_ready);
            (is_called_ready, known.record.seen.lock().answer)
        }))
    }

    pub(super) fn found(&mut self, found: Result<Found, JoinError>) {
        match found {
            Ok(Found::Service(service)) => self.open(service),
            Ok(Found::Instance(backend, true)) => self.return_to_instances(backend),
            Ok(Found::Instance(_, false)) => self.plan_look(),
            Err(error) => {
                // A search starts again by itself.
                tracing::error!(revision = %self.revision, %error, "a probe failed and is repeated");
                self.via.from = Instant::now() + self.targets.settings.frequency;
                self.plan_look();
            }
        }
    }

    fn open(&mut self, service: PrivateService) {
        (self.via.on_service)(Some(service));
        self.via.is_told = true;
        let since = Instant::now();
        self.via.record.seen.lock().log.on_success(since);
        self.via.open = Some(Open { service, since });
        self.drop_all();
        self.plan_look();
        if self.via.log.on_failure(since).is_some()
            && let Some(cluster) = &self.targets.cluster
        {
            let (revision, name) = (&self.revision, &cluster.private_service);
            tracing::info!(%revision, service = %name, address = %service.http, "requests go through the private Service");
        }
    }

    /// An instance can be reached, so all are probed.
    fn return_to_instances(&mut self, passed: SocketAddr) {
        self.via.close();
        if self.targets.trusts_probe(passed) && self.targets.backends.contains_key(&passed) {
            self.ready(passed, Record::default());
        }
        self.start_new();
        if self.via.log.on_success(Instant::now()).is_some() {
            let revision = &self.revision;
            tracing::info!(%revision, backend = %passed, "requests go to instances again, since a probe has passed");
        }
    }

    /// Requests through the Service failed: all starts over.
    pub(super) fn set_service_aside(&mut self, complaint: Complaint) {
        let Some(Open { service, since }) = self.via.open else {
            return;
        };
        let settings = &self.targets.settings;
        let trust = &mut self.via.record.trust;
        let delay = trust.on_set_aside(complaint, since.elapsed(), settings);
        self.via.from = Instant::now() + delay.min(settings.longest_pause_of_the_last());
        self.log_set_aside(service.http, &self.via.record, complaint);
        self.via.close();
        self.via.admitted = None;
        self.start_new();
    }

    /// Plans the next look at an instance, if requests may go to instances.
    fn plan_look(&mut self) {
        let mode = self.targets.mesh().map(|mesh| mesh.mode);
        let looks = self.via.is_open() && mode == Some(MeshMode::Auto);
        self.via.look_at = looks.then(|| Instant::now() + BETWEEN_LOOKS);
    }

    /// Probes the next instance that Kubernetes calls ready.
    pub(super) fn look(&mut self) {
        self.via.look_at = None;
        let after = self.via.looked_at.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.targets.backends.range((after, Bound::Unbounded));
        let mut ready = behind
            .chain(&self.targets.backends)
            .filter(|it| it.1.is_called_ready);
        let Some((&backend, _)) = ready.next() else {
            return self.plan_look();
        };
        self.via.looked_at = Some(backend);
        let attempts = Attempts {
            exchange: self.via.exchange_with_instances(),
            ..self.attempts(backend, &Record::default())
        };
        let look = async move { Found::Instance(backend, attempts.passes().await) };
        self.via.under_way.spawn(look);
    }
}

/// The address of a Service that is still to be found.
const UNKNOWN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
