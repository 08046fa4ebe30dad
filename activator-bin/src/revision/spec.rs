//! The specification of a revision, as sources report it.

use std::net::SocketAddr;
use std::sync::Arc;

use reporter_core::{Revision, RevisionKey};

use super::launch::LaunchSpec;
use crate::host::HostPattern;
use crate::probe::{InCluster, Probe};
use crate::timeouts::TimeoutLimits;
use crate::upstream::protocol::Protocol;

/// The specification of a revision.
#[derive(Clone, Debug, PartialEq)]
pub struct RevisionSpec {
    /// Its namespace and name.
    pub key: RevisionKey,
    /// Its service and configuration.
    pub revision: Revision,
    /// The hosts whose requests are for it, without duplicates.
    pub hosts: Arc<[HostPattern]>,
    /// The most concurrent requests per instance; 0 for no limit.
    pub container_concurrency: u32,
    /// The most requests queued for it.
    pub queue_depth: usize,
    /// How long its requests may take.
    pub timeouts: TimeoutLimits,
    /// How its instances are probed.
    pub probe: Probe,
    /// The HTTP version that its instances get.
    pub protocol: Protocol,
    /// Whether requests to its instances go over TLS.
    pub tls: bool,
    /// The addresses of its instances, without duplicates.
    pub backends: Vec<SocketAddr>,
    /// What the cluster says about them, if it is a cluster that lists them.
    pub cluster: Option<Arc<InCluster>>,
    /// How its instances are started, if that is done here.
    pub launch: Option<Arc<LaunchSpec>>,
}
