//! A revision's instances as the proxy sees them: how each is called, and how it did last.
//!
//! What must not live here: which of them gets a request (the throttle's), which are ready (the prober's).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;
use http::HeaderValue;

/// The backends of one revision.
pub(crate) struct Backends(ArcSwap<Known>);

#[derive(Default)]
struct Known {
    by_address: HashMap<SocketAddr, Arc<Backend>, FixedState>,
    /// As an [`Endpoint`] has it.
    tls: Option<Arc<str>>,
}

/// Where an instance is, and how it is reached there. A connection to one is no connection to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// The namespace whose instance it has to show itself as, when it is reached over TLS.
    pub(crate) tls: Option<Arc<str>>,
}

/// One instance.
pub(crate) struct Backend {
    pub(crate) endpoint: Endpoint,
    /// The address as the `Host` of the requests that it gets.
    pub(crate) host: HeaderValue,
    /// One of [`Health`].
    health: AtomicU8,
}

/// How the last request to a backend fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Health {
    /// There was none.
    Unknown,
    /// It got a response.
    Responding,
    /// It got none, and that was the backend's fault.
    Failing,
}

impl Backends {
    pub(super) fn new(addresses: &[SocketAddr], tls: Option<Arc<str>>) -> Self {
        let backends = Self(ArcSwap::default());
        backends.set(addresses, tls);
        backends
    }

    /// These are the backends from now on; one that was there before stays as it is.
    pub(super) fn set(&self, addresses: &[SocketAddr], tls: Option<Arc<str>>) {
        let before = self.0.load();
        let backend = |&address| (address, before.find(address, &tls));
        let by_address = addresses.iter().map(backend).collect();
        self.0.store(Arc::new(Known { by_address, tls }));
    }

    /// The backend at this address. One that has left meanwhile can still be called.
    pub(crate) fn at(&self, address: SocketAddr) -> Arc<Backend> {
        let known = self.0.load();
        known.find(address, &known.tls)
    }
}

impl Known {
    fn find(&self, address: SocketAddr, tls: &Option<Arc<str>>) -> Arc<Backend> {
        match self.by_address.get(&address) {
            Some(backend) if backend.endpoint.tls == *tls => Arc::clone(backend),
            _ => Arc::new(Backend::new(Endpoint {
                address,
                tls: tls.clone(),
            })),
        }
    }
}

impl Backend {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            host: HeaderValue::try_from(endpoint.address.to_string())
                .expect("an address is printed in visible ASCII"),
            endpoint,
            health: AtomicU8::new(Health::Unknown as u8),
        }
    }

    /// Notes how a request has fared; answers how the one before had.
    pub(crate) fn note(&self, now: Health) -> Health {
        let before = self.health.load(Ordering::Relaxed);
        // A load first: all cores share the line, and it hardly ever changes.
        let before = match before == now as u8 {
            true => before,
            false => self.health.swap(now as u8, Ordering::Relaxed),
        };
        const RESPONDING: u8 = Health::Responding as u8;
        const FAILING: u8 = Health::Failing as u8;
        match before {
            RESPONDING => Health::Responding,
            FAILING => Health::Failing,
            _ => Health::Unknown,
        }
    }
}
