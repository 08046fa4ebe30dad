//! What the log says at the start to somebody who looks for the first time: a request to try, and who else may send it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Activator;
use crate::config::Config;
use crate::host::HostPattern;
use crate::revision::RevisionSpec;

/// A request to try, and whether to warn.
pub(super) struct FirstLook {
    request: Request,
    /// Whether revisions list hosts while all of them can be named as well, and nobody has said that this is meant.
    is_open: bool,
}

enum Request {
    /// In a cluster everybody knows what to ask for.
    Cluster,
    /// With these options of curl.
    Curl(String),
    /// No revision can be asked for yet.
    Nothing,
}

impl FirstLook {
    pub(super) fn new(config: &Config) -> Self {
        if config.cluster.is_some() {
            return Self {
                request: Request::Cluster,
                is_open: false,
            };
        }
        let revisions = &config.revisions;
        let has_hosts = revisions.iter().any(|it| !it.hosts.is_empty());
        Self {
            request: options(revisions, config.trust_knative_headers)
                .map_or(Request::Nothing, Request::Curl),
            is_open: has_hosts && config.trust_knative_headers && !config.is_trust_set,
        }
    }

    pub(super) fn log(&self, activator: &Activator) {
        let http = activator.http_addr();
        let others = [activator.http2_addr(), activator.https_addr()];
        let mut all = others.into_iter().flatten().chain([http]);
        if self.is_open && all.any(|it| !it.ip().to_canonical().is_loopback()) {
            tracing::warn!(
                "clients may choose any revision, whatever its hosts, by Knative's headers or a Host like name.namespace.svc: set trust_knative_headers = false, or true if that is meant"
            );
        }
        let address = SocketAddr::new(reachable(http.ip()), http.port());
        match &self.request {
            Request::Curl(options) => {
                tracing::info!("serving, try: curl {options}http://{address}/");
            }
            Request::Nothing => {
                tracing::info!("serving on http://{address}, but no revision has hosts");
            }
            Request::Cluster => {
                tracing::info!("serving the revisions of the cluster on http://{address}");
            }
        }
    }
}

/// What makes a request of curl one for the first revision, or for the first that has a host if they may not be named.
fn options(revisions: &[RevisionSpec], may_be_named: bool) -> Option<String> {
    let host = |revision: &RevisionSpec| revision.hosts.first().map(of_host);
    if !may_be_named {
        return revisions.iter().find_map(host);
    }
    let first = revisions.first();
    first.and_then(host).or_else(|| {
        let key = first.map(|first| &first.key);
        let namespace = key.map_or("default", |key| key.namespace());
        let name = key.map_or("hello", |key| key.name());
        Some(format!(
            "-H 'Knative-Serving-Namespace: {namespace}' -H 'Knative-Serving-Revision: {name}' "
        ))
    })
}

/// Any host that the pattern stands for.
fn of_host(pattern: &HostPattern) -> String {
    match pattern.as_str() {
        "*" => String::new(),
        host => format!("-H 'Host: {}' ", host.replace('*', "any")),
    }
}

/// An address at which a listener on `ip` can be reached from this machine.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
