//! A real Knative cluster on this machine, started by this code, and the scenes in it.
//!
//! etcd, kube-apiserver, kube-controller-manager, Knative's controller, autoscaler, activator and queue-proxy are the
//! real programs, built from Go modules. Instead of a kubelet there is [`kubelet`], instead of DNS and kube-proxy
//! [`names`]. All of it runs in network namespaces of its own and takes no port of the machine; its files are in
//! `target/e2e-cluster`.

mod activators;
pub(crate) mod api;
pub(crate) mod client;
pub(crate) mod control_plane;
pub(crate) mod credentials;
mod ingress;
mod knative;
mod kubelet;
mod load;
mod names;
pub(crate) mod network;
pub(crate) mod objects;
pub(super) mod outages;
pub(crate) mod part;
pub(super) mod permissions;
mod population;
pub(crate) mod programs;
mod receiver;
mod revisions;
pub(super) mod scaling;
pub(super) mod side_by_side;
pub(super) mod sleepers;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};

use api::{Api, Stop};
use control_plane::{ControlPlane, Controllers};
use credentials::Credentials;
use knative::Knative;
use kubelet::Kubelet;
use names::Names;
use network::Network;

/// What runs besides the API server and the kubelet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// All of Knative but its activator.
    Knative,
    /// Knative's types and ConfigMaps, but none of its programs, and of Kubernetes' controllers only those that make pods
    /// of Deployments.
    Types,
    /// Nothing of Knative.
    Kubernetes,
}

/// A running cluster. It ends, with all that runs in it, when this is dropped.
pub(crate) struct Cluster {
    knative: Option<Knative>,
    kubelet: Kubelet,
    pub(crate) control_plane: ControlPlane,
    pub(crate) api: Api,
    pub(crate) names: Arc<Names>,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) stop: Stop,
    _network: Network,
}

/// Runs a scene in a cluster, on a thread at its node.
pub(crate) fn with_cluster(
    extent: Extent,
    scene: impl FnOnce(&mut Cluster) -> Result<()> + Send,
) -> Result<()> {
    programs::check_machine()?;
    programs::build()?;
    std::thread::scope(|scope| {
        let at_node = scope.spawn(|| {
            let network = Network::new()?;
            network.enter()?;
            let mut cluster = Cluster::start(network, extent)?;
            scene(&mut cluster).with_context(|| {
                let logs = programs::directory().join("log");
                format!("the logs of all parts are in {}", logs.display())
            })
        });
        at_node.join().expect("the scene's thread does not panic")
    })
}

/// Whether scenes take their long form: `E2E_CLUSTER=long`.
fn long() -> bool {
    std::env::var_os("E2E_CLUSTER").is_some_and(|form| form == "long")
}

impl Cluster {
    /// To be called at the node.
    fn start(network: Network, extent: Extent) -> Result<Self> {
        let start = Instant::now();
        let folder = programs::directory().join("run");
        for folder in [&folder, &programs::directory().join("log")] {
            // It may not be there yet.
            let _ = std::fs::remove_dir_all(folder);
            std::fs::create_dir_all(folder)?;
        }
        let credentials = Arc::new(Credentials::make(&folder)?);
        let names = Arc::new(Names::new(&folder)?);
        let api = Api::new(&credentials)?;
        let controllers = match extent {
            Extent::Knative => Controllers::All,
            Extent::Types | Extent::Kubernetes => Controllers::Deployments,
        };
        let control_plane = ControlPlane::start(&folder, &credentials, &api, controllers)?;
        let kubelet = Kubelet::start(&api, &credentials, &names, folder.join("pods"));
        let mut cluster = Self {
            knative: None,
            kubelet,
            control_plane,
            api,
            names,
            credentials,
            stop: Stop::default(),
            _network: network,
        };
        if extent != Extent::Kubernetes {
            knative::apply(&cluster.api)?;
        }
        if extent == Extent::Knative {
            cluster.names.follow(&cluster.api, &cluster.stop)?;
            cluster.knative = Some(Knative::start(&cluster.credentials, &cluster.names)?);
        }
        println!(
            "the cluster is up after {:.1} s",
            start.elapsed().as_secs_f64()
        );
        Ok(cluster)
    }

    pub(crate) fn knative(&mut self) -> Result<&mut Knative> {
        self.knative.as_mut().context("this cluster has no Knative")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop.set();
    }
}
