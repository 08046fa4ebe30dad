//! A revision's instances as the proxy sees them: how each is called, and how it did last.
//!
//! What must not live here: which of them gets a request (the throttle's), which are ready (the prober's).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};

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
    /// Whether it gets few requests at once, and so may be one that serves one connection after the other.
    serves_few: AtomicBool,
    /// How many reasons there are not to keep idle connections: requests that wait for others' idle ones to be
    /// closed, and [`FOR_GOOD`].
    unkept: AtomicU32,
}

/// A reason that stays not to keep idle connections.
const FOR_GOOD: u32 = 1 << 31;

/// As long as it is there, nobody keeps an idle connection to a backend.
pub(crate) struct Starving<'a>(&'a Backend);

impl Drop for Starving<'_> {
    fn drop(&mut self) {
        self.0.unkept.fetch_sub(1, Ordering::Relaxed);
    }
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
    pub(super) fn new(addresses: &[SocketAddr], tls: Option<Arc<str>>, limit: u32) -> Self {
        let backends = Self(ArcSwap::default());
        backends.set(addresses, tls, limit);
        backends
    }

    /// These are the backends from now on, each with so many requests at once; one that was there before stays as
    /// it is. True when others were taken out: connections to them are not kept any more.
    pub(super) fn set(&self, addresses: &[SocketAddr], tls: Option<Arc<str>>, limit: u32) -> bool {
        let before = self.0.load_full();
        let backend = |&address| {
            let backend = before.find(address, &tls).unwrap_or_else(|| {
                Arc::new(Backend::new(Endpoint {
                    address,
                    tls: tls.clone(),
                }))
            });
            backend.limit(limit);
            (address, backend)
        };
        let by_address = addresses.iter().map(backend).collect();
        let now = Arc::new(Known { by_address, tls });
        self.0.store(Arc::clone(&now));
        let is_gone = |backend: &&Arc<Backend>| {
            let Endpoint { address, tls } = &backend.endpoint;
            now.find(*address, tls).is_none()
        };
        let gone = before.by_address.values().filter(is_gone);
        gone.inspect(|backend| backend.keep_none()).count() > 0
    }

    /// The backend at this address. One that has left meanwhile can still be called.
    pub(crate) fn at(&self, address: SocketAddr) -> Arc<Backend> {
        let known = self.0.load();
        known.find(address, &known.tls).unwrap_or_else(|| {
            let tls = known.tls.clone();
            let gone = Backend::new(Endpoint { address, tls });
            gone.keep_none();
            Arc::new(gone)
        })
    }
}

impl Known {
    fn find(&self, address: SocketAddr, tls: &Option<Arc<str>>) -> Option<Arc<Backend>> {
        let backend = self.by_address.get(&address)?;
        (backend.endpoint.tls == *tls).then(|| Arc::clone(backend))
    }
}

impl Backend {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            host: HeaderValue::try_from(endpoint.address.to_string())
                .expect("an address is printed in visible ASCII"),
            endpoint,
            health: AtomicU8::new(Health::Unknown as u8),
            serves_few: AtomicBool::new(false),
            unkept: AtomicU32::new(0),
        }
    }

    /// Whether idle connections to it are kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.unkept.load(Ordering::Relaxed) == 0
    }

    /// From now on no idle connection is kept: it was taken out, or serves one connection after the other.
    pub(crate) fn keep_none(&self) {
        self.unkept.fetch_or(FOR_GOOD, Ordering::Relaxed);
    }

    /// A request may be waiting for the backend to be done with connections that are idle.
    pub(crate) fn starve(&self) -> Starving<'_> {
        self.unkept.fetch_add(1, Ordering::Relaxed);
        Starving(self)
    }

    pub(crate) fn serves_few(&self) -> bool {
        self.serves_few.load(Ordering::Relaxed)
    }

    /// It gets so many requests at once at most; 0 is no limit.
    fn limit(&self, container_concurrency: u32) {
        const FEW: std::ops::RangeInclusive<u32> = 1..=3;
        let few = FEW.contains(&container_concurrency);
        self.serves_few.store(few, Ordering::Relaxed);
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
