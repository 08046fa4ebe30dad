//! What a Kubernetes cluster says about the instances of a revision, beside their addresses.

use std::net::SocketAddr;
use std::sync::Arc;

use super::mesh::Mesh;

/// What a cluster says about the instances of a revision, beside their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InCluster {
    /// Those of its backends that Kubernetes does not call ready, without duplicates.
    pub not_ready: Vec<SocketAddr>,
    /// Whether an instance that Kubernetes does not call ready counts as soon as it passes its probe. Knative: "probe
    /// optimization"; off for revisions with an exec readiness probe or a startup probe.
    pub trusts_probe: bool,
    /// Which of the instances are this activator's. `None` while that is unknown: then all are.
    pub share: Option<Share>,
    /// The name of the Service in front of all instances, for clusters where they cannot be reached one by one.
    pub private_service: Arc<str>,
    /// Whether the Service's port named `http2` is meant, instead of `http`.
    pub http2: bool,
    /// The port of each instance for requests over TLS, if it is another than that of its address.
    pub tls_port: Option<u16>,
}

impl InCluster {
    /// What a mesh finds single instances in `namespace` by, if it takes requests for them.
    pub(crate) fn name_in(&self, mesh: Mesh, namespace: &str) -> Option<String> {
        mesh.pod_addressability
            .then(|| format!("{}.{namespace}", self.private_service))
    }
}

/// The place of an activator among those that serve a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Its position among them, in the order of their addresses as text.
    pub index: usize,
    /// How many there are: more than `index`.
    pub activators: usize,
}
