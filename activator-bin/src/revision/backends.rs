//! A revision's backends. Each stays the same object for as long as it is listed and reached in the same way.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;
use http::HeaderValue;
use parking_lot::Mutex;

use crate::probe::PrivateService;
use crate::upstream::backend::{Backend, Endpoint, OverTls};

/// The backends of one revision.
#[derive(Default)]
pub(crate) struct Backends {
    known: ArcSwap<Known>,
    /// Held while they are changed.
    changing: Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    by_address: HashMap<SocketAddr, Arc<Backend>, FixedState>,
    reach: Reach,
    /// The private Service, while requests go through it.
    service: Option<PrivateService>,
}

/// How the backends of a revision are reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Over TLS: the namespace that their certificates must be valid for.
    pub(crate) tls: Option<Arc<str>>,
    /// Over TLS: their port, if it is another than that of their address.
    pub(crate) tls_port: Option<u16>,
    /// What a mesh finds single backends by.
    pub(crate) host: Option<HeaderValue>,
}

impl Reach {
    fn backend(&self, address: SocketAddr) -> Backend {
        let port = self.tls_port.unwrap_or(address.port());
        let tls = self.over_tls(SocketAddr::new(address.ip(), port));
        Backend::new(Endpoint { address, tls }, self.host.clone())
    }

    fn service(&self, service: PrivateService) -> Backend {
        let address = service.http;
        let tls = self.over_tls(service.https.unwrap_or(address));
        Backend::new(Endpoint { address, tls }, None)
    }

    fn over_tls(&self, address: SocketAddr) -> Option<OverTls> {
        let namespace = Arc::clone(self.tls.as_ref()?);
        Some(OverTls { address, namespace })
    }
}

impl Backends {
    /// Replaces the backends, each limited to `limit` concurrent requests; those that were listed before and are
    /// reached in the same way are kept. Returns whether any was removed: connections to it are no longer kept.
    pub(crate) fn set(&self, addresses: &[SocketAddr], reach: Reach, limit: u32) -> bool {
        let _changing = self.changing.lock();
        let before = self.known.load_full();
        let is_same = before.reach == reach;
        let backend = |&address| {
            let known = before.by_address.get(&address).filter(|_| is_same);
            let backend = known.cloned();
            let backend = backend.unwrap_or_else(|| Arc::new(reach.backend(address)));
            backend.limit(limit);
            (address, backend)
        };
        let by_address = addresses.iter().map(backend).collect();
        self.replace(Known {
            by_address,
            reach,
            service: before.service,
        })
    }

    /// Removes all backends. Returns whether there were any.
    pub(crate) fn clear(&self) -> bool {
        let _changing = self.changing.lock();
        self.replace(Known::default())
    }

    /// Adds the private Service, instead of the one before, or removes it. Returns whether one was removed.
    pub(crate) fn set_service(&self, service: Option<PrivateService>) -> bool {
        let _changing = self.changing.lock();
        let mut known = Known::clone(&self.known.load());
        if let Some(before) = known.service {
            known.by_address.remove(&before.http);
        }
        known.service = service;
        self.replace(known)
    }

    /// The backend at this address. One that was removed meanwhile can still be used.
    pub(crate) fn at(&self, address: SocketAddr) -> Arc<Backend> {
        let known = self.known.load();
        let backend = known.by_address.get(&address).cloned();
        backend.unwrap_or_else(|| {
            let gone = known.reach.backend(address);
            gone.keep_none();
            Arc::new(gone)
        })
    }

    /// Returns whether any was removed.
    fn replace(&self, mut known: Known) -> bool {
        if let Some(service) = known.service {
            let backend = || Arc::new(known.reach.service(service));
            let before = self.known.load();
            let is_same = (before.service, &before.reach) == (known.service, &known.reach);
            let same = before.by_address.get(&service.http).filter(|_| is_same);
            let backend = same.cloned().unwrap_or_else(backend);
            known.by_address.insert(service.http, backend);
        }
        let now = Arc::new(known);
        let before = self.known.swap(Arc::clone(&now));
        let is_gone = |backend: &&Arc<Backend>| {
            let still = now.by_address.get(&backend.endpoint.address);
            !still.is_some_and(|still| Arc::ptr_eq(still, backend))
        };
        let gone = before.by_address.values().filter(is_gone);
        gone.inspect(|backend| backend.keep_none()).count() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn over_tls(port: Option<u16>) -> Reach {
        Reach {
            tls: Some("default".into()),
            tls_port: port,
            host: None,
        }
    }

    /// Where connections to this one of the backends go.
    fn goes_to(backends: &Backends, listed: &str) -> String {
        let backend = backends.at(address(listed));
        assert_eq!(backend.endpoint.address, address(listed));
        let tls = backend.endpoint.tls.as_ref();
        let to = tls.map_or(backend.endpoint.address, |tls| tls.address);
        to.to_string()
    }

    #[test]
    fn over_tls_connections_may_go_to_another_port() {
        let (backends, one) = (Backends::default(), address("10.0.0.1:8012"));
        let mut before = Vec::new();
        for (reach, expected) in [
            (Reach::default(), "10.0.0.1:8012"),
            (over_tls(None), "10.0.0.1:8012"),
            (over_tls(Some(8112)), "10.0.0.1:8112"),
        ] {
            backends.set(&[one], reach.clone(), 1);
            let listed = backends.at(one);
            assert_eq!(goes_to(&backends, "10.0.0.1:8012"), expected);
            assert_eq!(
                goes_to(&backends, "10.0.0.9:8012").replace(".9:", ".1:"),
                expected
            );
            assert!(!backends.set(&[one], reach, 1), "nothing changes");
            assert!(Arc::ptr_eq(&listed, &backends.at(one)));
            assert!(listed.is_kept());
            before.push(listed);
        }
        before.pop();
        assert!(before.iter().all(|it| !it.is_kept()), "reached otherwise");
    }

    #[test]
    fn the_private_service_is_a_backend_while_requests_go_through_it() {
        let (backends, service) = (Backends::default(), "10.96.0.1:80");
        let addresses = PrivateService {
            http: address(service),
            https: Some(address("10.96.0.1:443")),
        };
        backends.set(&[address("10.0.0.1:8012")], over_tls(Some(8112)), 1);
        assert!(!backends.at(address(service)).is_kept());
        assert!(!backends.set_service(Some(addresses)));
        let backend = backends.at(address(service));
        assert!(backend.is_kept() && !backend.serves_few());
        assert_eq!(goes_to(&backends, service), "10.96.0.1:443");
        assert_eq!(goes_to(&backends, "10.0.0.1:8012"), "10.0.0.1:8112");

        // It stays the same while instances come and go.
        assert!(backends.set(&[address("10.0.0.2:8012")], over_tls(Some(8112)), 1));
        assert!(Arc::ptr_eq(&backend, &backends.at(address(service))));
        assert!(!backends.set_service(Some(addresses)));
        assert!(Arc::ptr_eq(&backend, &backends.at(address(service))));

        assert!(backends.set(&[], Reach::default(), 1));
        assert!(!backend.is_kept());
        assert_eq!(goes_to(&backends, service), service);
        assert!(backends.set_service(None));
        assert!(!backends.at(address(service)).is_kept());
        assert!(!backends.clear());
    }
}
