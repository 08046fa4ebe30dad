//! Revisions from a Kubernetes cluster with Knative.
//!
//! Two parts: [`model`] is pure, objects in, changes of revisions out; the rest lists and watches the objects. While the
//! API server is away everything stays as it was last known.
//!
//! What must not live here: probing instances, and what the settings in ConfigMaps mean.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use reporter_metrics::{ClusterMetrics, WatchKind};
use serde::Serialize;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

mod addresses;
mod api_server;
pub(crate) mod check;
mod gather;
mod health;
mod limits;
mod list_page;
mod model;
mod object;
mod piece;
mod private_services;
mod progress;
mod resource;
mod revisions;
mod system;
mod watch_lines;
mod watching;

pub use health::WatchStatus;
pub use limits::ClusterLimits;
pub use system::{Certificate, SystemObject};

use super::{RevisionSource, Update};
use crate::config::{Cluster, Problems};
use crate::probe::PrivateServices;
use api_server::ApiServer;
use health::Health;
use model::ModelSettings;
use private_services::ClusterServices;
use resource::Resource;
use revisions::{ClusterRevisions, RevisionsHeard};
use watching::Watcher;

/// The most sets of changes that wait to be applied.
const WAITING: usize = 4;
/// The most objects of the system namespace that wait to be taken.
const OBJECTS_WAITING: usize = 16;

/// What is asked of a cluster.
#[derive(Clone, Debug)]
pub struct KubernetesOptions {
    /// The namespace that Knative Serving is installed in.
    pub system_namespace: String,
    /// The address of this activator among those of a revision; `None` outside of the cluster.
    pub pod_ip: Option<IpAddr>,
    /// The names of the ConfigMaps in the system namespace that are followed.
    pub config_maps: Vec<String>,
    /// The most requests queued for a revision.
    pub queue_depth: usize,
}

/// It cannot be read how the API server is reached.
#[derive(Debug, Error)]
#[error("cannot read how the API server is reached: {0}")]
pub struct ClusterError(String);

/// How the API server of a cluster is reached.
#[derive(Clone)]
pub struct ApiAccess {
    server: Arc<ApiServer>,
    limits: ClusterLimits,
}

/// A cluster that is being watched. Clones are handles to the same one.
#[derive(Clone)]
pub struct Kubernetes {
    watcher: Watcher,
    internal_tls: Arc<watch::Sender<Option<bool>>>,
    synced: watch::Receiver<bool>,
    uses_endpoints: Arc<AtomicBool>,
}

/// A cluster whose watches have begun.
pub struct Started {
    /// The cluster.
    pub kubernetes: Kubernetes,
    /// Its revisions. The first update has all of them.
    pub source: Box<dyn RevisionSource>,
    /// The objects of the system namespace, whenever they may have changed. Of each ConfigMap that was asked for, and of
    /// the Secret once it is, there is a first message also if it does not exist or may not be read.
    pub objects: mpsc::Receiver<SystemObject>,
}

/// The revisions of a cluster as a source. It reports no problem: while the API server is away nothing changes.
struct Source(ClusterRevisions);

#[async_trait]
impl RevisionSource for Source {
    async fn changed(&mut self) -> Result<Update, Problems> {
        Ok(Update::Some(self.0.changed().await))
    }
}

/// What is known of a cluster's watches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterStatus {
    /// Whether revisions and their addresses have been listed and are served.
    pub synced: bool,
    /// Where addresses come from: `endpointslices` or `endpoints`.
    pub addresses: &'static str,
    /// Each watch.
    pub watches: Vec<WatchStatus>,
}

impl ApiAccess {
    /// Reads how the API server of a cluster is reached, without contacting it.
    ///
    /// # Errors
    /// There is no such file or service account, or it is invalid.
    pub async fn try_new(cluster: Cluster, limits: ClusterLimits) -> Result<Self, ClusterError> {
        let server = ApiServer::try_new(cluster, limits).await;
        Ok(Self {
            server: Arc::new(server.map_err(ClusterError)?),
            limits,
        })
    }
}

impl Kubernetes {
    /// Begins to list and watch.
    ///
    /// It goes on until the source and the receiver of objects are dropped, or the runtime ends.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(
        access: ApiAccess,
        options: KubernetesOptions,
        metrics: ClusterMetrics,
    ) -> Started {
        let ApiAccess { server, limits } = access;
        let watcher = Watcher {
            server,
            health: Arc::new(Health::default()),
            limits,
            metrics: metrics.clone(),
        };
        let (internal_tls, is_tls) = watch::channel(None);
        let (is_synced, synced) = watch::channel(false);
        let kubernetes = Self {
            watcher,
            internal_tls: Arc::new(internal_tls),
            synced,
            uses_endpoints: Arc::default(),
        };
        let (heard, receiver) = mpsc::channel(WAITING);
        let settings = ModelSettings {
            pod_ip: options.pod_ip,
            queue_depth: options.queue_depth,
            internal_tls: false,
        };
        let tls = is_tls.clone();
        let source = ClusterRevisions::new(receiver, settings, &limits, tls, is_synced, metrics);
        kubernetes.watch_revisions(heard);
        Started {
            objects: kubernetes.watch_system(options.system_namespace, options.config_maps, is_tls),
            source: Box::new(Source(source)),
            kubernetes,
        }
    }

    fn watch_revisions(&self, heard: mpsc::Sender<RevisionsHeard>) {
        let (watcher, to) = (self.watcher.clone(), heard.clone());
        tokio::spawn(async move {
            let (kind, resource) = (WatchKind::Revisions, Resource::of::<object::Revision>(None));
            let wrap = RevisionsHeard::Revisions;
            watching::watch(&watcher, kind, &resource, false, &to, wrap).await;
        });
        let (watcher, uses_endpoints) = (self.watcher.clone(), Arc::clone(&self.uses_endpoints));
        tokio::spawn(async move {
            let wrap = RevisionsHeard::Addresses;
            addresses::watch_addresses(&watcher, &uses_endpoints, &heard, wrap).await;
        });
    }

    fn watch_system(
        &self,
        namespace: String,
        config_maps: Vec<String>,
        is_tls: watch::Receiver<Option<bool>>,
    ) -> mpsc::Receiver<SystemObject> {
        let (to, objects) = mpsc::channel(OBJECTS_WAITING);
        for name in config_maps {
            let (watcher, to) = (self.watcher.clone(), to.clone());
            let namespace = namespace.clone();
            tokio::spawn(async move {
                system::watch_config_map(&watcher, &namespace, &name, to).await;
            });
        }
        let (watcher, bundles) = (self.watcher.clone(), to.clone());
        tokio::spawn(async move {
            let trust = system::watch_trust_bundles(&watcher, &namespace, bundles);
            let certificate = system::watch_certificate(&watcher, &namespace, is_tls, to);
            tokio::join!(trust, certificate);
        });
        objects
    }

    /// Whether instances are reached over TLS. While they are, the certificate is followed.
    ///
    /// The first revisions wait for the first call, with a bound.
    pub fn set_internal_tls(&self, is_on: bool) {
        self.internal_tls.send_if_modified(|before| {
            let is_changed = *before != Some(is_on);
            *before = Some(is_on);
            is_changed
        });
    }

    /// Turns true once revisions and their addresses have been listed and are served.
    #[must_use]
    pub fn synced(&self) -> watch::Receiver<bool> {
        self.synced.clone()
    }

    /// Finds the private Services of revisions. Each call is a request to the API server.
    #[must_use]
    pub fn private_services(&self) -> Arc<dyn PrivateServices> {
        let Watcher { server, limits, .. } = &self.watcher;
        Arc::new(ClusterServices {
            server: Arc::clone(server),
            limits: *limits,
        })
    }

    /// What is known of the watches.
    #[must_use]
    pub fn status(&self) -> ClusterStatus {
        let uses_endpoints = self.uses_endpoints.load(Ordering::Relaxed);
        ClusterStatus {
            synced: *self.synced.borrow(),
            addresses: if uses_endpoints {
                "endpoints"
            } else {
                "endpointslices"
            },
            watches: self.watcher.health.status(),
        }
    }

    /// Sets the metrics to the ages of the watches as of now.
    pub fn measure(&self) {
        for kind in WatchKind::ALL {
            let age = self.watcher.health.age(kind);
            self.watcher.metrics.watch_age(kind, age);
        }
    }
}

impl fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}
