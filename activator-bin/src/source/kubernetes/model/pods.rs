//! The instances of a revision, from all objects that list some of them.

use std::cmp::Reverse;
use std::net::SocketAddr;

use super::addresses::{Endpoint, Ports, State, Subset};

/// The pods that one object lists.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pods {
    pub(super) ports: Ports,
    endpoints: Box<[Endpoint]>,
}

impl Pods {
    pub(super) fn new(subset: Subset) -> Self {
        Self {
            ports: subset.ports,
            endpoints: subset.endpoints.into(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.endpoints.len()
    }
}

/// The instances of a revision.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Instances {
    /// All that get requests, in order, without duplicates.
    pub(super) backends: Vec<SocketAddr>,
    /// Those of them that are not ready.
    pub(super) not_ready: Vec<SocketAddr>,
}

impl Instances {
    /// Of pods as objects list them, each with the version and name of its object.
    ///
    /// A pod may be listed several times: what the newest object says of it counts, and of its addresses of two
    /// families the one of the preferred family.
    pub(super) fn of<'a>(
        lists: impl Iterator<Item = (&'a Pods, u64, &'a str)>,
        http2: bool,
        prefers_ipv4: bool,
    ) -> Self {
        let mut pods = Vec::new();
        for (list, version, name) in lists {
            let Some(port) = list.ports.of(http2) else {
                continue;
            };
            let listed = list.endpoints.iter();
            pods.extend(listed.map(|it| (it, port, Reverse((version, name)))));
        }
        let is_other = |it: &Endpoint| it.address.is_ipv4() != prefers_ipv4;
        pods.sort_by_key(|&(it, _, newest)| (it.pod, is_other(it), newest));
        pods.dedup_by_key(|(it, ..)| it.pod);
        // Two pods may have one address, that of their node.
        let mut all: Vec<_> = pods
            .into_iter()
            .filter(|(it, ..)| it.state != State::Terminating)
            .map(|(it, port, _)| (SocketAddr::new(it.address, port), it.state != State::Ready))
            .collect();
        all.sort_unstable();
        all.dedup_by_key(|(address, _)| *address);
        let not_ready = all.iter().filter(|(_, is_not)| *is_not);
        Self {
            not_ready: not_ready.map(|&(address, _)| address).collect(),
            backends: all.iter().map(|&(address, _)| address).collect(),
        }
    }
}
