//! etcd, kube-apiserver and kube-controller-manager: the real programs.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::api::Api;
use super::credentials::Credentials;
use super::network::NODE;
use super::part::Part;
use super::programs::program;
use crate::support::process::wait_until;

/// Where the API server is.
pub(crate) const SERVER: &str = "https://10.0.0.1:6443";
pub(crate) const SERVER_PORT: u16 = 6443;
/// Its name inside the cluster.
pub(crate) const NAME_OF_API: &str = "kubernetes.default.svc";

/// No kubelet renews leases here, so those controllers that take the pods of a silent node away stay off.
const ALL_CONTROLLERS: &str = "*,-node-lifecycle-controller,-taint-eviction-controller,-pod-garbage-collector-controller,-cloud-node-lifecycle-controller";
const ETCD: &str = "http://127.0.0.1:2379";
const ETCD_PEER: &str = "http://127.0.0.1:2380";

/// Which controllers of kube-controller-manager run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Controllers {
    All,
    /// Only what makes pods of Deployments.
    Deployments,
}

/// The running programs.
pub(crate) struct ControlPlane {
    pub(crate) api_server: Part,
    api: Api,
    pub(crate) controllers: Part,
    etcd: Part,
}

impl ControlPlane {
    /// Starts all three, and waits until the API server serves.
    pub(crate) fn start(
        folder: &Path,
        credentials: &Arc<Credentials>,
        api: &Api,
        controllers: Controllers,
    ) -> Result<Self> {
        let start = Instant::now();
        let data = folder.join("etcd");
        let etcd = Part::start("etcd", move || {
            let mut etcd = Command::new("etcd");
            etcd.arg("--data-dir").arg(&data);
            etcd.args(["--listen-client-urls", ETCD]);
            etcd.args(["--advertise-client-urls", ETCD]);
            etcd.args(["--listen-peer-urls", ETCD_PEER]);
            etcd.args(["--initial-advertise-peer-urls", ETCD_PEER]);
            etcd.args(["--initial-cluster", &format!("default={ETCD_PEER}")]);
            etcd
        })?;
        let files = Arc::clone(credentials);
        let api_server = Part::start("kube-apiserver", move || api_server(&files))?;
        wait_for(api)?;
        let files = Arc::clone(credentials);
        let controllers = Part::start("kube-controller-manager", move || {
            controller_manager(&files, controllers)
        })?;
        api.apply(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}}))?;
        let seconds = start.elapsed().as_secs_f64();
        println!("the API server is ready after {seconds:.1} s");
        Ok(Self {
            etcd,
            api_server,
            controllers,
            api: api.clone(),
        })
    }

    /// Starts the API server again and waits until it serves.
    pub(crate) fn start_api_server_again(&mut self) -> Result<()> {
        self.api_server.start_again()?;
        wait_for(&self.api)
    }

    /// Drops all of etcd's history: a watch that wants to go on from before gets 410.
    pub(crate) fn compact(&self) -> Result<()> {
        // etcd's key of one zero byte, in base64.
        let range = etcd("/v3/kv/range", &json!({"key": "AA=="}))?;
        let revision = &range["header"]["revision"];
        ensure!(revision.is_string(), "etcd says {range}");
        let compaction = json!({"revision": revision, "physical": true});
        etcd("/v3/kv/compaction", &compaction)?;
        println!("etcd has no history before {revision}");
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.controllers.kill();
        self.api_server.kill();
        self.etcd.stop();
    }
}

/// A request to etcd's JSON gateway.
pub(crate) fn etcd(path: &str, body: &Value) -> Result<Value> {
    let agent = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(Duration::from_secs(20)))
        .build()
        .new_agent();
    let response = agent.post(format!("{ETCD}{path}")).send(body.to_string());
    let mut body = response
        .with_context(|| format!("etcd: {path}"))?
        .into_body();
    Ok(serde_json::from_str(&body.read_to_string()?)?)
}

fn wait_for(api: &Api) -> Result<()> {
    wait_until(
        "the API server does not serve; see its log",
        Duration::from_secs(90),
        || Ok(api.ready().then_some(())),
    )
}

fn api_server(files: &Credentials) -> Command {
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let mut command = Command::new(program("kube-apiserver"));
    command.args([
        flag("tls-cert-file", &files.server_certificate()),
        flag("tls-private-key-file", &files.server_key()),
        flag("service-account-key-file", &files.account_public_key()),
        flag("service-account-signing-key-file", &files.account_key()),
        flag("token-auth-file", &files.tokens()),
        format!("--etcd-servers={ETCD}"),
        format!("--service-account-issuer=https://{NAME_OF_API}"),
        format!("--secure-port={SERVER_PORT}"),
        format!("--advertise-address={NODE}"),
    ]);
    command.args([
        "--authorization-mode=RBAC",
        "--bind-address=0.0.0.0",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--endpoint-reconciler-type=none",
        "--enable-aggregator-routing=true",
        "--max-requests-inflight=2000",
        "--max-mutating-requests-inflight=1000",
    ]);
    command
}

fn controller_manager(files: &Credentials, controllers: Controllers) -> Command {
    let controllers = match controllers {
        Controllers::All => ALL_CONTROLLERS,
        Controllers::Deployments => "deployment-controller,replicaset-controller",
    };
    let flag = |name: &str, path: &Path| format!("--{name}={}", path.display());
    let mut command = Command::new(program("kube-controller-manager"));
    command.args([
        flag("kubeconfig", &files.kubeconfig()),
        flag("service-account-private-key-file", &files.account_key()),
        flag("root-ca-file", &files.authority()),
        format!("--controllers={controllers}"),
    ]);
    command.args([
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
    ]);
    command
}
