//! What the owner of a prober has asked for: which backends, and how they are probed. Pure.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use super::in_cluster::{InCluster, Share};
use super::known::Called;
use super::mesh::Mesh;
use super::{Probe, ProbeSettings};

/// The backends of a revision, as its source lists them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Their addresses. Duplicates are ignored.
    pub backends: Vec<SocketAddr>,
    /// What the cluster says about them, if it is a cluster that lists them.
    pub cluster: Option<Arc<InCluster>>,
    /// The most concurrent requests for each, by which a cluster's backends are divided; 0 means no limit.
    pub container_concurrency: u32,
    /// The unix sockets of those that have one instead of their address.
    pub sockets: BTreeMap<SocketAddr, Arc<Path>>,
}

impl From<Vec<SocketAddr>> for Listed {
    /// Outside of a cluster.
    fn from(backends: Vec<SocketAddr>) -> Self {
        Self {
            backends,
            ..Self::default()
        }
    }
}

/// All that is asked for.
#[derive(Clone, Debug)]
pub(super) struct Targets {
    pub(super) settings: ProbeSettings,
    pub(super) backends: BTreeMap<SocketAddr, Named>,
    pub(super) cluster: Option<Arc<InCluster>>,
    pub(super) container_concurrency: u32,
    pub(super) sockets: BTreeMap<SocketAddr, Arc<Path>>,
    /// How many lists there were.
    lists: u64,
}

/// A listed backend. One that was removed and added again counts as another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// The number of the list that first named it.
    pub(super) list: u64,
    /// Whether it joined the throttle's capacity at once.
    pub(super) has_joined: bool,
    /// Whether Kubernetes calls it ready. Always true outside of a cluster.
    pub(super) is_called_ready: bool,
}

/// What a new list means for the throttle's capacity at once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// No longer listed.
    pub(super) gone: Vec<SocketAddr>,
    /// New, and ready without a probe.
    pub(super) joined: Vec<SocketAddr>,
}

impl Targets {
    /// No backends.
    pub(super) fn new(settings: ProbeSettings) -> Self {
        Self {
            settings,
            backends: BTreeMap::new(),
            cluster: None,
            container_concurrency: 0,
            sockets: BTreeMap::new(),
            lists: 0,
        }
    }

    /// Replaces the list.
    pub(super) fn set(&mut self, listed: Listed) -> Difference {
        let before = std::mem::take(&mut self.backends);
        self.lists += 1;
        self.cluster = listed.cluster;
        self.container_concurrency = listed.container_concurrency;
        self.sockets = listed.sockets;
        // In a cluster, which ones get requests depends on all.
        let has_joined = self.settings.probe == Probe::None && self.cluster.is_none();
        let new = Named {
            list: self.lists,
            has_joined,
            is_called_ready: true,
        };
        let named = |backend| {
            let known = *before.get(&backend).unwrap_or(&new);
            let is_called_ready = true;
            let named = Named {
                is_called_ready,
                ..known
            };
            (backend, named)
        };
        self.backends = listed.backends.into_iter().map(named).collect();
        for backend in self.cluster.iter().flat_map(|it| &it.not_ready) {
            if let Some(named) = self.backends.get_mut(backend) {
                named.is_called_ready = false;
            }
        }
        let gone = before.into_keys();
        let gone = gone.filter(|it| !self.backends.contains_key(it)).collect();
        let is_new = |named: &Named| named.list == new.list && named.has_joined;
        let joined = self.backends.iter().filter(|it| is_new(it.1));
        let joined = joined.map(|(backend, _)| *backend).collect();
        Difference { gone, joined }
    }

    /// Which of the backends are this activator's.
    pub(super) fn share(&self) -> Option<Share> {
        self.cluster.as_ref()?.share
    }

    /// How backends are reached, if they are in a cluster.
    pub(super) fn mesh(&self) -> Option<Mesh> {
        self.cluster.as_ref().map(|_| self.settings.mesh)
    }

    /// Whether requests may go to backends one by one.
    pub(super) fn allows_instances(&self) -> bool {
        self.mesh().is_none_or(Mesh::allows_instances)
    }

    /// Whether requests may go through the private Service.
    pub(super) fn allows_service(&self) -> bool {
        self.mesh().is_some_and(Mesh::allows_service)
    }

    /// How many backends Kubernetes calls ready.
    pub(super) fn called_ready(&self) -> usize {
        self.backends
            .values()
            .filter(|it| it.is_called_ready)
            .count()
    }

    /// Whether this backend is ready without a probe.
    pub(super) fn is_trusted(&self, backend: SocketAddr) -> bool {
        let is_called_ready = || {
            let named = self.backends.get(&backend);
            named.is_some_and(|it| it.is_called_ready)
        };
        let trusts = self.mesh().is_some_and(Mesh::trusts_kubernetes);
        self.settings.probe == Probe::None || trusts && is_called_ready()
    }

    /// Whether this backend is ready once it has passed a probe.
    pub(super) fn trusts_probe(&self, backend: SocketAddr) -> bool {
        let trusts_all = self.cluster.as_ref().is_none_or(|it| it.trusts_probe);
        let named = self.backends.get(&backend);
        trusts_all || named.is_some_and(|it| it.is_called_ready)
    }

    /// What a mesh finds single backends by, if it takes requests for them.
    pub(super) fn service_name(&self, namespace: &str) -> Option<Arc<str>> {
        let cluster = self.cluster.as_ref()?;
        let name = cluster.name_in(self.settings.mesh, namespace);
        name.map(Arc::from)
    }

    /// What this backend is called in logs.
    pub(super) fn called(&self, backend: SocketAddr) -> Called<'_> {
        let socket = self.sockets.get(&backend).map(Arc::as_ref);
        Called { backend, socket }
    }

    /// Whether this backend is the same one in another list, in the same state.
    pub(super) fn has_same(&self, other: &Self, backend: SocketAddr) -> bool {
        self.backends.get(&backend) == other.backends.get(&backend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backend(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 80))
    }

    fn listed(numbers: &[u8], not_ready: Option<&[u8]>) -> Listed {
        let addresses = |numbers: &[u8]| numbers.iter().copied().map(backend).collect();
        let in_cluster = |not_ready: &[u8]| InCluster {
            not_ready: addresses(not_ready),
            ..InCluster::default()
        };
        Listed {
            backends: addresses(numbers),
            cluster: not_ready.map(|it| Arc::new(in_cluster(it))),
            container_concurrency: 1,
            ..Listed::default()
        }
    }

    #[test]
    fn a_list_says_what_leaves_and_what_joins() {
        let mut targets = Targets::new(ProbeSettings {
            probe: Probe::None,
            ..ProbeSettings::default()
        });
        for (list, gone, joined) in [
            (listed(&[1, 2, 2], None), vec![], vec![1, 2]),
            (listed(&[2, 3], None), vec![1], vec![3]),
            (listed(&[2, 3], None), vec![], vec![]),
            (listed(&[1, 2], None), vec![3], vec![1]),
            // In a cluster, the prober decides which ones join.
            (listed(&[1, 4], Some(&[])), vec![2], vec![]),
        ] {
            let addresses = |numbers: Vec<u8>| numbers.into_iter().map(backend).collect();
            let (gone, joined) = (addresses(gone), addresses(joined));
            assert_eq!(targets.set(list), Difference { gone, joined });
        }
    }

    #[test]
    fn what_kubernetes_says_belongs_to_the_list() {
        let mut targets = Targets::new(ProbeSettings::default());
        for (list, ready) in [
            (listed(&[1, 2], None), [true, true]),
            (listed(&[1, 2], Some(&[2, 9])), [true, false]),
            (listed(&[1, 2], Some(&[1])), [false, true]),
            (listed(&[1, 2], Some(&[])), [true, true]),
        ] {
            targets.set(list);
            let called_ready = |number| targets.backends[&backend(number)].is_called_ready;
            assert_eq!([1, 2].map(called_ready), ready);
            assert_eq!(
                targets.called_ready(),
                ready.iter().filter(|it| **it).count()
            );
            assert_eq!(
                targets.backends[&backend(1)].list,
                1,
                "it is still the same"
            );
        }
    }
}
