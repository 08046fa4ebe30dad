//! A revision's instances as the proxy sees them: how each is called, and how it did last.
//!
//! What must not live here: which of them gets a request (the throttle's), which are ready (the prober's).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use foldhash::fast::FixedState;
use http::HeaderValue;

/// The backends of one revision by their addresses.
pub(crate) struct Backends(ArcSwap<ByAddress>);

type ByAddress = HashMap<SocketAddr, Arc<Backend>, FixedState>;

/// One instance.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    /// The address as the `Host` of the requests that it gets.
    pub(crate) host: HeaderValue,
    /// Whether the last request failed to get an answer; so that logs tell changes only.
    failing: AtomicBool,
}

impl Backends {
    pub(super) fn new(addresses: &[SocketAddr]) -> Self {
        let backends = Self(ArcSwap::default());
        backends.set(addresses);
        backends
    }

    /// These are the backends from now on; one that was there before stays as it is.
    pub(super) fn set(&self, addresses: &[SocketAddr]) {
        let before = self.0.load();
        let backend = |&address| (address, find(&before, address));
        self.0
            .store(Arc::new(addresses.iter().map(backend).collect()));
    }

    /// The backend at this address. One that has left meanwhile can still be called.
    pub(crate) fn at(&self, address: SocketAddr) -> Arc<Backend> {
        find(&self.0.load(), address)
    }
}

fn find(backends: &ByAddress, address: SocketAddr) -> Arc<Backend> {
    match backends.get(&address) {
        Some(backend) => Arc::clone(backend),
        None => Arc::new(Backend::new(address)),
    }
}

impl Backend {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            host: HeaderValue::try_from(address.to_string())
                .expect("an address is printed in visible ASCII"),
            failing: AtomicBool::new(false),
        }
    }

    /// Notes whether a request got an answer; true when that differs from the one before.
    pub(crate) fn changes_to(&self, failing: bool) -> bool {
        // A load first: all cores share the line, and it hardly ever changes.
        self.failing.load(Ordering::Relaxed) != failing
            && self.failing.swap(failing, Ordering::Relaxed) != failing
    }
}
