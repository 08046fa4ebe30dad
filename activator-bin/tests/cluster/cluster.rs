//! What is known of a cluster with a fake API server: the revisions that its source reports, and the rest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use activator_bin::testing::{
    ApiAccess, Change, Cluster as Access, ClusterLimits, Kubernetes, KubernetesOptions, Started,
    SystemObject, Update,
};
use parking_lot::Mutex;
use reporter_core::{Revision, RevisionKey, RevisionLister};
use reporter_metrics::Exporter;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::directory::Directory;
use crate::fake::FakeApi;
use crate::tls::Authority;

/// How long anything may take that a test waits for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Times and sizes that tests can wait for.
pub(crate) const LIMITS: ClusterLimits = ClusterLimits {
    watch: Duration::from_secs(1),
    grace: Duration::from_millis(200),
    silence: Duration::from_millis(500),
    page: Duration::from_secs(1),
    first_pause: Duration::from_millis(5),
    longest_pause: Duration::from_millis(50),
    slices_retry: Duration::from_millis(50),
    window: Duration::from_millis(5),
    settings: PATIENCE,
    page_size: 2,
    max_pages: 20,
    max_object: 64 * 1024,
};

/// A cluster that is being watched.
pub(crate) struct Cluster {
    pub(crate) api: FakeApi,
    pub(crate) kubernetes: Kubernetes,
    pub(crate) objects: mpsc::Receiver<SystemObject>,
    pub(crate) exporter: Exporter,
    reported: Arc<Mutex<Reported>>,
    directory: Directory,
}

#[derive(Default)]
struct Reported {
    /// The addresses of each revision.
    revisions: BTreeMap<String, Vec<String>>,
    /// How often it was reported, revision by revision.
    changes: usize,
}

struct NoRevisions;

impl RevisionLister for NoRevisions {
    fn revision(&self, _: &RevisionKey) -> Option<Revision> {
        None
    }
}

impl Cluster {
    /// Watches what `api` has.
    pub(crate) async fn watch(api: FakeApi) -> Self {
        Self::with_user(api, "{}", LIMITS).await
    }

    /// With these credentials, as in a kubeconfig. `DIR` in it is where the test's files are.
    pub(crate) async fn with_user(api: FakeApi, user: &str, limits: ClusterLimits) -> Self {
        Self::with_access(api, user, "", limits).await
    }

    /// Over TLS, with servers that this authority vouches for.
    pub(crate) async fn trusting(api: FakeApi, authority: &Authority) -> Self {
        Self::with_access(api, "{}", &authority.pem, LIMITS).await
    }

    async fn with_access(api: FakeApi, user: &str, ca: &str, limits: ClusterLimits) -> Self {
        let directory = Directory::new();
        let file = kubeconfig(&directory, &api, user, ca);
        let access = ApiAccess::try_new(Access::Kubeconfig(file), limits)
            .await
            .unwrap();
        let exporter = Exporter::new("", Arc::new(NoRevisions));
        let options = KubernetesOptions {
            system_namespace: "knative-serving".to_owned(),
            pod_ip: None,
            config_maps: vec!["config-network".to_owned()],
            queue_depth: 10,
        };
        let Started {
            kubernetes,
            mut source,
            objects,
        } = Kubernetes::start(access, options, exporter.cluster());
        let reported = Arc::<Mutex<Reported>>::default();
        let to = Arc::clone(&reported);
        tokio::spawn(async move {
            loop {
                let Ok(Update::Some(changes)) = source.changed().await else {
                    panic!("a cluster reports changes");
                };
                let mut to = to.lock();
                to.changes += changes.len();
                for change in changes {
                    match change {
                        Change::Put(spec) => {
                            let backends = spec.backends.iter().map(ToString::to_string);
                            to.revisions
                                .insert(spec.key.to_string(), backends.collect());
                        }
                        Change::Remove(key) => drop(to.revisions.remove(key.as_str())),
                    }
                }
            }
        });
        Self {
            api,
            kubernetes,
            objects,
            exporter,
            reported,
            directory,
        }
    }

    /// Like [`Self::watch`], and waits for the first lists.
    pub(crate) async fn synced(api: FakeApi) -> Self {
        let cluster = Self::watch(api).await;
        cluster.kubernetes.set_internal_tls(false);
        cluster.until_synced().await;
        cluster
    }

    pub(crate) async fn until_synced(&self) {
        self.until("synced", || *self.kubernetes.synced().borrow())
            .await;
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.directory.write(name, text);
    }

    /// All revisions as last reported, as in `default/a=10.0.0.1:8012,10.0.0.2:8012 default/b=`.
    pub(crate) fn revisions(&self) -> String {
        let reported = self.reported.lock();
        let revisions = reported.revisions.iter();
        let revisions = revisions.map(|(key, backends)| format!("{key}={}", backends.join(",")));
        revisions.collect::<Vec<_>>().join(" ")
    }

    /// How many changes have been reported.
    pub(crate) fn changes(&self) -> usize {
        self.reported.lock().changes
    }

    pub(crate) async fn until_revisions(&self, expected: &str) {
        let described = || self.revisions();
        until_or(
            || self.revisions() == expected,
            || format!("expected {expected:?}, but there is {:?}", described()),
        )
        .await;
    }

    pub(crate) async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        until_or(holds, || format!("{what}: {:#?}", self.kubernetes.status())).await;
    }

    /// The problem of the watch of these objects now.
    pub(crate) fn problem(&self, resource: &str) -> Option<String> {
        let status = self.kubernetes.status();
        let watch = status
            .watches
            .into_iter()
            .find(|it| it.resource == resource);
        watch.and_then(|it| it.problem)
    }

    /// The value of a metric.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        self.kubernetes.measure();
        let text = self.exporter.render([]);
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .trim()
            .parse()
            .unwrap()
    }

    pub(crate) async fn object(&mut self) -> SystemObject {
        tokio::time::timeout(PATIENCE, self.objects.recv())
            .await
            .unwrap()
            .unwrap()
    }
}

/// Writes the kubeconfig for a user of `api`, which has a certificate by `ca` if that is not empty.
pub(crate) fn kubeconfig(directory: &Directory, api: &FakeApi, user: &str, ca: &str) -> PathBuf {
    let folder = directory.path("").display().to_string();
    let ca = match ca {
        "" => String::new(),
        pem => {
            let file = directory.write("ca.pem", pem);
            format!(r#", "certificate-authority": "{}""#, file.display())
        }
    };
    let config = format!(
        r#"{{"current-context": "c", "contexts": [{{"name": "c", "context": {{"cluster": "c", "user": "u"}}}}],
        "clusters": [{{"name": "c", "cluster": {{"server": "{}://{}"{ca}}}}}],
        "users": [{{"name": "u", "user": {}}}]}}"#,
        api.scheme(),
        api.address,
        user.replace("DIR", &folder),
    );
    directory.write("kubeconfig", &config)
}

async fn until_or(holds: impl Fn() -> bool, describe: impl Fn() -> String) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{}", describe());
        sleep(Duration::from_millis(2)).await;
    }
}
