//! What there is to know of a revision before it is served: what every source says.

use std::net::SocketAddr;

use reporter_core::{Revision, RevisionKey};

use crate::probe::Probe;
use crate::timeouts::TimeoutLimits;
use crate::upstream::protocol::Protocol;

/// A revision that is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionSpec {
    /// Its namespace and name.
    pub key: RevisionKey,
    /// Its service and configuration.
    pub revision: Revision,
    /// The most requests that one of its instances gets at once; 0 is no limit.
    pub container_concurrency: u32,
    /// The most requests that wait for it.
    pub queue_depth: usize,
    /// How long its requests may take.
    pub timeouts: TimeoutLimits,
    /// How its instances show that they are ready.
    pub probe: Probe,
    /// In which version of HTTP its instances get requests.
    pub protocol: Protocol,
    /// Whether its instances are reached over TLS.
    pub tls: bool,
    /// Where its instances listen. No address is in it twice.
    pub backends: Vec<SocketAddr>,
}
