//! A revision's backends. Each stays the same object for as long as it is listed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;

use crate::upstream::backend::{Backend, Endpoint};

/// The backends of one revision.
pub(crate) struct Backends(ArcSwap<Known>);

#[derive(Default)]
struct Known {
    by_address: HashMap<SocketAddr, Arc<Backend>, FixedState>,
    /// As in [`Endpoint`].
    tls: Option<Arc<str>>,
}

impl Backends {
    pub(crate) fn new(addresses: &[SocketAddr], tls: Option<Arc<str>>, limit: u32) -> Self {
        let backends = Self(ArcSwap::default());
        backends.set(addresses, tls, limit);
        backends
    }

    /// Replaces the backends, each limited to `limit` concurrent requests; those that were listed before are kept.
    /// Returns whether any was removed: connections to it are no longer kept.
    pub(crate) fn set(&self, addresses: &[SocketAddr], tls: Option<Arc<str>>, limit: u32) -> bool {
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

    /// The backend at this address. One that was removed meanwhile can still be used.
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
