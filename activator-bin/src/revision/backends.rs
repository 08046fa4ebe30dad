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
use crate::upstream::place::Place;

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
    /// Unix sockets that were removed last: their addresses lead nowhere.
    gone: Vec<Place>,
}

/// How many removed unix sockets are known. Requests that were given one are about to use it.
const MOST_GONE: usize = 64;

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
    fn backend(&self, place: Place) -> Backend {
        let address = place.address;
        let port = self.tls_port.unwrap_or(address.port());
        let tls = self.over_tls(SocketAddr::new(address.ip(), port));
        let tls = tls.filter(|_| place.socket.is_none());
        Backend::new(Endpoint { place, tls }, self.host.clone())
    }

    fn service(&self, service: PrivateService) -> Backend {
        let address = service.http;
        let tls = self.over_tls(service.https.unwrap_or(address));
        let place = address.into();
        Backend::new(Endpoint { place, tls }, None)
    }

    fn over_tls(&self, address: SocketAddr) -> Option<OverTls> {
        let namespace = Arc::clone(self.tls.as_ref()?);
        Some(OverTls { address, namespace })
    }
}

impl Backends {
    /// Replaces the backends, each limited to `limit` concurrent requests; those that were listed before and are
    /// reached in the same way are kept. Returns whether any was removed: connections to it are no longer kept.
    pub(crate) fn set(&self, places: &[Place], reach: Reach, limit: u32) -> bool {
        let _changing = self.changing.lock();
        let before = self.known.load_full();
        let is_same = before.reach == reach;
        let backend = |place: &Place| {
            let known = before.by_address.get(&place.address);
            let known = known.filter(|it| is_same && it.endpoint.place == *place);
            let backend = known.cloned();
            let backend = backend.unwrap_or_else(|| Arc::new(reach.backend(place.clone())));
            backend.limit(limit);
            (place.address, backend)
        };
        let by_address = places.iter().map(backend).collect();
        self.replace(Known {
            by_address,
            reach,
            service: before.service,
            gone: before.gone.clone(),
        })
    }

    /// Removes all backends. Returns whether there were any.
    pub(crate) fn clear(&self) -> bool {
        let _changing = self.changing.lock();
        let gone = self.known.load().gone.clone();
        self.replace(Known {
            gone,
            ..Known::default()
        })
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
            let socket = known.gone.iter().find(|it| it.address == address);
            let place = socket.cloned().unwrap_or(address.into());
            let gone = known.reach.backend(place);
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
        let before = self.known.load_full();
        let is_gone = |backend: &&Arc<Backend>| {
            let still = known.by_address.get(&backend.endpoint.place.address);
            !still.is_some_and(|still| Arc::ptr_eq(still, backend))
        };
        let gone: Vec<_> = before.by_address.values().filter(is_gone).collect();
        let sockets = gone.iter().map(|it| &it.endpoint.place);
        known
            .gone
            .extend(sockets.filter(|it| it.socket.is_some()).cloned());
        let surplus = known.gone.len().saturating_sub(MOST_GONE);
        known.gone.drain(..surplus);
        self.known.store(Arc::new(known));
        gone.iter().for_each(|backend| backend.keep_none());
        !gone.is_empty()
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
        assert_eq!(backend.endpoint.place.address, address(listed));
        let tls = backend.endpoint.tls.as_ref();
        let to = tls.map_or(backend.endpoint.place.address, |tls| tls.address);
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
            backends.set(&[one.into()], reach.clone(), 1);
            let listed = backends.at(one);
            assert_eq!(goes_to(&backends, "10.0.0.1:8012"), expected);
            assert_eq!(
                goes_to(&backends, "10.0.0.9:8012").replace(".9:", ".1:"),
                expected
            );
            assert!(!backends.set(&[one.into()], reach, 1), "nothing changes");
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
        backends.set(&[address("10.0.0.1:8012").into()], over_tls(Some(8112)), 1);
        assert!(!backends.at(address(service)).is_kept());
        assert!(!backends.set_service(Some(addresses)));
        let backend = backends.at(address(service));
        assert!(backend.is_kept() && !backend.serves_few());
        assert_eq!(goes_to(&backends, service), "10.96.0.1:443");
        assert_eq!(goes_to(&backends, "10.0.0.1:8012"), "10.0.0.1:8112");

        // It stays the same while instances come and go.
        assert!(backends.set(&[address("10.0.0.2:8012").into()], over_tls(Some(8112)), 1));
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
    #[test]
    fn a_unix_socket_that_was_removed_is_still_reached_by_those_who_have_it() {
        let place = |number: u16| Place {
            address: ([192, 0, 2, 1], number).into(),
            socket: Some(std::path::Path::new(&format!("/run/{number}")).into()),
        };
        let (backends, one) = (Backends::default(), place(1));
        backends.set(std::slice::from_ref(&one), over_tls(Some(8112)), 1);
        let listed = backends.at(one.address);
        assert_eq!(
            (&listed.endpoint.place, &listed.endpoint.tls),
            (&one, &None)
        );
        assert!(!backends.set(std::slice::from_ref(&one), over_tls(Some(8112)), 1));
        assert!(Arc::ptr_eq(&listed, &backends.at(one.address)));
        let other = Place {
            socket: place(2).socket,
            ..one
        };
        assert!(backends.set(std::slice::from_ref(&other), over_tls(Some(8112)), 1));
        assert_eq!(backends.at(one.address).endpoint.place, other);
        assert!(!listed.is_kept());
        for number in 3..200 {
            backends.set(&[place(number)], Reach::default(), 1);
        }
        assert!(backends.clear());
        for (number, is_known) in [(199, true), (199 - 60, true), (3, false)] {
            let gone = backends.at(place(number).address);
            assert!(!gone.is_kept());
            let socket = gone.endpoint.place.socket.clone();
            assert_eq!(socket, place(number).socket.filter(|_| is_known));
        }
    }
}
