//! Requests: those that wait, those in flight.

use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::super::*;
use super::{LIMIT, Later, World};

impl World {
    /// The requests of a revision, waiting or not.
    pub(super) fn load(&self, key: &RevisionKey) -> usize {
        let own = self
            .instances
            .values()
            .filter(|it| it.key == *key && !it.is_retired);
        let in_flight: usize = own.map(|it| it.requests.len()).sum();
        self.services[key].queue.len() + in_flight
    }

    pub(super) fn demand(&mut self, key: &RevisionKey) {
        let mut own = self.instances.values().filter(|it| it.key == *key);
        let is_starving = !own.any(|it| it.is_admitted);
        if is_starving && !self.services[key].queue.is_empty() {
            self.report(Event::Demand(key.clone()));
        }
    }

    /// A request comes.
    pub(in super::super) fn arrive(&mut self, key: &RevisionKey, takes: Duration) {
        let now = self.now;
        let service = self.services.entry(key.clone()).or_default();
        if service.spec.is_none() || service.has_failed {
            return;
        }
        service.queue.push_back((takes, now));
        self.dispatch(key);
        self.demand(key);
    }

    /// A client that waits goes.
    pub(in super::super) fn cancel(&mut self, key: &RevisionKey) {
        if let Some(service) = self.services.get_mut(key) {
            service.queue.pop_back();
        }
    }

    pub(super) fn dispatch(&mut self, key: &RevisionKey) {
        let own = self.instances.iter_mut().filter(|(_, it)| it.key == *key);
        let mut free: Vec<_> = own.filter(|(_, it)| it.is_admitted && it.is_up).collect();
        let Some(service) = self.services.get_mut(key) else {
            return;
        };
        let mut ends = Vec::new();
        for (_, instance) in &mut free {
            assert!(!instance.is_frozen);
            while instance.requests.len() < LIMIT
                && let Some((takes, _)) = service.queue.pop_front()
            {
                instance.requests.push(self.now + takes);
                ends.push(takes);
            }
        }
        for takes in ends {
            self.later(takes, Later::Requests);
        }
    }

    pub(super) fn on_requests(&mut self) {
        let now = self.now;
        let mut vacated = Vec::new();
        for (id, instance) in &mut self.instances {
            let before = instance.requests.len();
            instance.requests.retain(|ends| *ends > now);
            let ended = before - instance.requests.len();
            if ended > 0 && instance.requests.is_empty() && instance.withdrawal > 0 {
                // Whoever watched since an earlier withdrawal says so, too.
                vacated.extend((1..=instance.withdrawal).map(|number| (*id, number)));
            }
        }
        for (id, number) in vacated {
            self.report(Event::Drained(id, number));
        }
        let keys: Vec<_> = self.services.keys().cloned().collect();
        for key in keys {
            self.dispatch(&key);
        }
    }

    pub(in super::super) fn waiting(&self) -> usize {
        self.services.values().map(|it| it.queue.len()).sum()
    }

    pub(in super::super) fn in_flight(&self) -> usize {
        self.instances.values().map(|it| it.requests.len()).sum()
    }

    /// The longest that a request has waited.
    pub(in super::super) fn longest(&self) -> Duration {
        let all = self.services.values().flat_map(|it| &it.queue);
        let waits = all.map(|(_, since)| self.now - *since);
        waits.max().unwrap_or_default()
    }
}
