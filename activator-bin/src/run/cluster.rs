//! A cluster while the activator runs: its revisions are served, and its settings and certificates take effect at once.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reporter_metrics::Exporter;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

mod check;
mod objects;

pub(crate) use check::check_cluster;

use self::objects::{Action, Objects};
use super::traces::Tracing;
use crate::access_log::{AccessLog, Format};
use crate::config::Config;
use crate::logging;
use crate::readiness::FirstLists;
use crate::revision::{Owner, Revisions};
use crate::source::{
    self, ApiAccess, Certificate, Feed, Kubernetes, KubernetesOptions, Started, SystemObject,
};
use crate::tls::{ClusterTls, TlsProblems};

/// How long the first lists are waited for: by requests, and by probes that may have the process restarted.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a cluster changes.
#[derive(Clone)]
pub(super) struct Targets {
    pub(super) revisions: Arc<Revisions>,
    pub(super) access_log: AccessLog,
    pub(super) tracing: Tracing,
    pub(super) tls: Option<Arc<ClusterTls>>,
}

/// A cluster that is followed. Clones are handles to the same one.
#[derive(Clone)]
pub(super) struct Cluster {
    kubernetes: Kubernetes,
    objects: Arc<Mutex<Objects>>,
    targets: Targets,
}

impl Cluster {
    /// Follows the cluster, on the current tokio runtime.
    pub(super) fn follow(
        access: ApiAccess,
        config: &Config,
        targets: Targets,
        exporter: &Exporter,
    ) -> Self {
        let objects = Objects::new(config);
        let options = KubernetesOptions {
            system_namespace: config.kubernetes.namespace.clone(),
            pod_ip: config.kubernetes.pod_ip,
            config_maps: objects.config_maps(),
            queue_depth: config.throttle.queue_depth,
        };
        let Started {
            kubernetes,
            source,
            objects: received,
        } = Kubernetes::start(access, options, exporter.cluster());
        let feed = Feed::new(Arc::clone(&targets.revisions), Owner::source("the cluster"));
        tokio::spawn(source::follow(source, feed, |_| ()));
        targets
            .revisions
            .set_private_services(kubernetes.private_services());
        let cluster = Self {
            kubernetes,
            objects: Arc::new(Mutex::new(objects)),
            targets,
        };
        tokio::spawn(cluster.clone().take(received));
        cluster
    }

    /// Until when its revisions are not known.
    pub(super) fn first_lists(&self) -> FirstLists {
        FirstLists::new(self.kubernetes.synced(), PATIENCE)
    }

    /// Brings its metrics up to date.
    pub(super) fn measure(&self) {
        self.kubernetes.measure();
    }

    /// What operators see of it.
    pub(super) fn status(&self) -> Json {
        let objects = self.objects.lock();
        let mut status = json!(self.kubernetes.status());
        status["awaited_requests"] = self.targets.revisions.awaited().into();
        status["settings"] = objects.settings();
        status["problems"] = objects.problems().into();
        status
    }

    /// Takes the objects of the system namespace as they change.
    async fn take(self, mut received: mpsc::Receiver<SystemObject>) {
        while let Some(object) = received.recv().await {
            let actions = self.objects.lock().on_object(object);
            for action in actions {
                self.act(action);
            }
        }
    }

    fn act(&self, action: Action) {
        let targets = &self.targets;
        match action {
            Action::Mesh(mesh) => targets.revisions.set_mesh(mesh),
            Action::InternalTls(is_on) => self.kubernetes.set_internal_tls(is_on),
            Action::LogLevel(level) => {
                let filter = logging::Filter::up_to(level);
                logging::on(logging::Event::Cluster(filter));
            }
            Action::AccessLog(template) => targets.access_log.set(template.map(Format::from)),
            Action::Tracing(config) => {
                if let Err(error) = targets.tracing.set(&config) {
                    tracing::error!("requests are not traced: {error}");
                }
            }
            Action::Certificates(secret) => {
                let Certificate {
                    tls_crt,
                    tls_key,
                    ca_crt,
                } = secret;
                let set = |tls: &Arc<ClusterTls>| tls.set_certificates(&tls_crt, &tls_key, &ca_crt);
                log_problems(targets.tls.as_ref().map(set));
            }
            Action::TrustBundles(bundles) => {
                let set = |tls: &Arc<ClusterTls>| tls.set_trust_bundles(bundles);
                log_problems(targets.tls.as_ref().map(set));
            }
            Action::Warn(text) => tracing::warn!("{text}"),
        }
    }
}

fn log_problems(set: Option<Result<(), TlsProblems>>) {
    if let Some(Err(problems)) = set {
        for problem in problems.to_string().lines() {
            tracing::error!("{problem}");
        }
    }
}
