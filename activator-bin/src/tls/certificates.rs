//! Which certificate a client of the TLS listener gets: by the name that it asks for (SNI).

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;

use crate::host::{self, HostPattern};

/// What a listener negotiates with one certificate, as it is now.
type Current = Arc<ArcSwap<ServerConfig>>;

/// The certificates of a listener.
#[derive(Default)]
pub(crate) struct Certificates {
    named: HashMap<HostPattern, Current>,
    are_wildcards: bool,
    otherwise: Option<Current>,
}

impl Certificates {
    /// A certificate for all names that no other is for.
    pub(crate) fn new(otherwise: Option<Current>) -> Self {
        Self {
            otherwise,
            ..Self::default()
        }
    }

    /// Adds a certificate for these hosts.
    pub(crate) fn add(&mut self, hosts: &[HostPattern], certificate: &Current) {
        self.are_wildcards |= hosts.iter().any(HostPattern::is_suffix);
        let hosts = hosts.iter().cloned();
        let entries = hosts.map(|host| (host, Arc::clone(certificate)));
        self.named.extend(entries);
    }

    /// What to negotiate with a client that asks for `name`, in lower case. `None` if there is no certificate for it.
    pub(crate) fn choose(&self, name: Option<&str>) -> Option<Arc<ServerConfig>> {
        let named = |name: &str| {
            let name = name.strip_suffix('.').unwrap_or(name);
            host::find(name, self.are_wildcards, |key| self.named.get(key))
        };
        let name = name.filter(|_| !self.named.is_empty());
        let chosen = name.and_then(named).or(self.otherwise.as_ref());
        chosen.map(|it| it.load_full())
    }
}
