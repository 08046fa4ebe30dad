//! Where a revision's instances listen, and whose turn it is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use http::HeaderValue;

/// The backends of one revision.
pub(crate) struct Backends {
    all: ArcSwap<Box<[Arc<Backend>]>>,
    next: AtomicUsize,
}

/// One instance.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    /// The address as the `Host` of the requests that it gets.
    pub(crate) host: HeaderValue,
    /// Whether the last request failed to get an answer; so that logs tell changes only.
    failing: AtomicBool,
}

impl Backends {
    pub(crate) fn new(addresses: &[SocketAddr]) -> Self {
        let backend = |&address| Arc::new(Backend::new(address));
        Self {
            all: ArcSwap::from_pointee(addresses.iter().map(backend).collect()),
            next: AtomicUsize::new(0),
        }
    }

    /// These are the backends from now on; one that was there before stays as it is.
    pub(super) fn set(&self, addresses: &[SocketAddr]) {
        let all = self.all.load();
        let before: HashMap<_, _> = all
            .iter()
            .map(|backend| (backend.address, backend))
            .collect();
        let backend = |address| match before.get(address) {
            Some(backend) => Arc::clone(backend),
            None => Arc::new(Backend::new(*address)),
        };
        let now = addresses.iter().map(backend).collect();
        self.all.store(Arc::new(now));
    }

    /// The next one in turn, or none when there are none.
    pub(crate) fn next(&self) -> Option<Arc<Backend>> {
        match &***self.all.load() {
            [] => None,
            [only] => Some(Arc::clone(only)),
            // Wrapping around skips a turn once in a long while, which is nobody's loss.
            all => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                Some(Arc::clone(&all[turn % all.len()]))
            }
        }
    }
}

impl Backend {
    fn new(address: SocketAddr) -> Self {
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
