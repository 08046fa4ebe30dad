//! The activators of a revision, and the place of this one among them.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::addresses::{Ports, State, Subset};
use crate::probe::Share;

/// Some of the addresses at which clients reach a revision: the activators on its way, or its instances if none is.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Activators {
    ports: Ports,
    /// In the order of their text, without duplicates.
    addresses: Box<[IpAddr]>,
}

impl Activators {
    /// An activator with addresses of both families is one: only those of the family of `own` count.
    pub(super) fn new(subset: Subset, own: Option<IpAddr>) -> Self {
        let counts = |address: &IpAddr| own.is_none_or(|own| own.is_ipv4() == address.is_ipv4());
        let ready = subset.endpoints.iter();
        let ready = ready.filter(|it| it.state == State::Ready);
        let mut addresses: Vec<_> = ready.map(|it| it.address).filter(counts).collect();
        in_order(&mut addresses);
        Self {
            ports: subset.ports,
            addresses: addresses.into(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

/// Knative sorts them as strings.
fn in_order(addresses: &mut Vec<IpAddr>) {
    addresses.sort_by_cached_key(IpAddr::to_string);
    addresses.dedup();
}

/// The share of the activator at `own`. `None` if it is not there.
pub(super) fn share<'a>(
    activators: impl Iterator<Item = &'a Activators> + Clone,
    http2: bool,
    own: IpAddr,
) -> Option<Share> {
    let mut parts = activators.filter(|it| it.ports.of(http2).is_some());
    let one = parts.next()?;
    let merged: Vec<_>;
    let addresses = match parts.clone().next() {
        None => &*one.addresses,
        Some(_) => {
            let others = parts.flat_map(|it| it.addresses.iter());
            let mut all: Vec<_> = one.addresses.iter().chain(others).copied().collect();
            in_order(&mut all);
            merged = all;
            &merged
        }
    };
    Some(Share {
        index: addresses.iter().position(|&it| it == own)?,
        activators: addresses.len(),
    })
}

/// Keeps equal lists once: those of all revisions that sleep.
#[derive(Debug, Default)]
pub(super) struct Interned(HashSet<Arc<Activators>, FixedState>);

impl Interned {
    pub(super) fn intern(&mut self, activators: Activators) -> Arc<Activators> {
        if let Some(known) = self.0.get(&activators) {
            return Arc::clone(known);
        }
        let activators = Arc::new(activators);
        self.0.insert(Arc::clone(&activators));
        activators
    }

    /// One user less.
    pub(super) fn release(&mut self, activators: Arc<Activators>) {
        // This one, and the one in here.
        if Arc::strong_count(&activators) == 2 {
            self.0.remove(&activators);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_lists_are_kept_once_for_as_long_as_one_is_used() {
        let mut all = Interned::default();
        let intern = |all: &mut Interned| {
            all.intern(Activators {
                ports: Ports::default(),
                addresses: [[10, 0, 0, 1].into()].into(),
            })
        };
        let (one, other) = (intern(&mut all), intern(&mut all));
        assert!(Arc::ptr_eq(&one, &other));
        all.release(one);
        let third = intern(&mut all);
        assert!(Arc::ptr_eq(&third, &other));
        all.release(other);
        assert_eq!(all.len(), 1);
        all.release(third);
        assert_eq!(all.len(), 0);
    }
}
