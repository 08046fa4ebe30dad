//! Which of a revision's healthy instances get requests from this activator: a pure state machine.
//!
//! Instances set aside after failed requests still count when the instances are divided, as they do for other
//! activators, which know nothing of the failures. If all of this activator's own are set aside, it helps itself to its
//! share of the others.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::in_cluster::Share;
use super::share::Part;

/// The healthy instances, and those of them that get requests.
#[derive(Debug, Default)]
pub(super) struct Assignment {
    /// By the text `ip:port`, which is the order in which instances are divided.
    healthy: BTreeMap<Box<str>, Healthy>,
    /// No longer healthy, but not yet taken from the capacity.
    gone: Vec<SocketAddr>,
    /// What the capacity was last made for, unless something has changed since.
    settled: Option<(u32, Option<Share>)>,
}

#[derive(Debug)]
struct Healthy {
    address: SocketAddr,
    is_aside: bool,
    is_assigned: bool,
}

/// A change of the capacity. What is removed comes first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) removed: Vec<SocketAddr>,
    pub(super) added: Vec<SocketAddr>,
}

impl Assignment {
    /// The instance is healthy, and not set aside.
    pub(super) fn on_healthy(&mut self, address: SocketAddr) {
        self.settled = None;
        let healthy = self
            .healthy
            .entry(text(address))
            .or_insert_with(|| Healthy {
                address,
                is_aside: false,
                is_assigned: false,
            });
        healthy.is_aside = false;
    }

    /// The instance is healthy and has already joined the capacity.
    pub(super) fn on_joined(&mut self, address: SocketAddr) {
        self.on_healthy(address);
        self.gone.retain(|&gone| gone != address);
        if let Some(healthy) = self.healthy.get_mut(&*text(address)) {
            healthy.is_assigned = true;
        }
    }

    /// The instance was set aside, and has left the capacity.
    pub(super) fn on_set_aside(&mut self, address: SocketAddr) {
        self.settled = None;
        if let Some(healthy) = self.healthy.get_mut(&*text(address)) {
            healthy.is_aside = true;
            healthy.is_assigned = false;
        }
    }

    /// The instance is no longer healthy.
    pub(super) fn on_unhealthy(&mut self, address: SocketAddr) {
        self.settled = None;
        if let Some(gone) = self.healthy.remove(&*text(address)) {
            self.gone.extend(gone.is_assigned.then_some(address));
        }
    }

    /// The instance is no longer listed, and has already left the capacity.
    pub(super) fn on_unlisted(&mut self, address: SocketAddr) {
        self.settled = None;
        self.healthy.remove(&*text(address));
    }

    /// No instance is healthy any more.
    pub(super) fn clear(&mut self) {
        self.settled = None;
        let assigned = std::mem::take(&mut self.healthy).into_values();
        let assigned = assigned.filter(|it| it.is_assigned);
        self.gone.extend(assigned.map(|it| it.address));
    }

    /// Brings the capacity up to date. Of the instances to be added only those that `may_join` are.
    pub(super) fn settle(
        &mut self,
        container_concurrency: u32,
        share: Option<Share>,
        may_join: impl Fn(SocketAddr) -> bool,
    ) -> Step {
        let wanted_for = Some((container_concurrency, share));
        if self.settled == wanted_for {
            return Step::default();
        }
        self.settled = wanted_for;
        let part = |count| Part::of(count, container_concurrency, share);
        let of_all = part(self.healthy.len());
        let mut wanted = self.usable(|position, _| of_all.contains(position));
        if !wanted.contains(&true) {
            let usable = self.healthy.values().filter(|it| !it.is_aside).count();
            let of_usable = part(usable);
            wanted = self.usable(|_, position| of_usable.contains(position));
        }
        let mut step = Step {
            removed: std::mem::take(&mut self.gone),
            added: Vec::new(),
        };
        for (healthy, wanted) in self.healthy.values_mut().zip(wanted) {
            if wanted && !healthy.is_assigned {
                if may_join(healthy.address) {
                    healthy.is_assigned = true;
                    step.added.push(healthy.address);
                } else {
                    self.settled = None;
                }
            } else if !wanted && healthy.is_assigned {
                healthy.is_assigned = false;
                step.removed.push(healthy.address);
            }
        }
        step
    }

    /// Whether an instance gets requests.
    pub(super) fn is_assigned(&self, address: SocketAddr) -> bool {
        let healthy = self.healthy.get(&*text(address));
        healthy.is_some_and(|it| it.is_assigned)
    }

    /// The number of instances that get requests.
    pub(super) fn assigned(&self) -> usize {
        self.healthy.values().filter(|it| it.is_assigned).count()
    }

    /// For each healthy instance whether it is chosen and not set aside. `is_chosen` gets its position among all, and
    /// among those not set aside.
    fn usable(&self, is_chosen: impl Fn(usize, usize) -> bool) -> Vec<bool> {
        let mut usable = 0;
        let all = self.healthy.values().enumerate();
        all.map(|(position, healthy)| {
            let is_wanted = !healthy.is_aside && is_chosen(position, usable);
            usable += usize::from(!healthy.is_aside);
            is_wanted
        })
        .collect()
    }
}

fn text(address: SocketAddr) -> Box<str> {
    address.to_string().into()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
