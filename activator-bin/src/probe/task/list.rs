//! What a new list of backends, or other settings, mean for those that are known.

use super::*;
use crate::probe::targets::Named;

impl Task {
    pub(super) fn take_targets(&mut self) {
        let targets = self.latest.borrow_and_update().clone();
        let before = std::mem::replace(&mut self.targets, targets);
        self.via.name_instances(&self.targets, &self.revision);
        self.check_service(&before);
        self.drop_unlisted(&before);
        if !self.targets.allows_instances() {
            self.drop_all();
            return;
        }
        self.heed_kubernetes(&before);
        if self.targets.settings != before.settings {
            self.probe_anew();
        }
        self.start_new();
    }

    /// Drops the backends that are no longer listed. The throttle already has.
    fn drop_unlisted(&mut self, before: &Targets) {
        let (named, known) = (&self.targets.backends, &before.backends);
        let (backends, assignment) = (&mut self.backends, &mut self.assignment);
        backends.retain(|backend, own| {
            let list = |named: &BTreeMap<_, Named>| named.get(backend).map(|it| it.list);
            let stays = list(named) == list(known);
            if !stays {
                own.state.stop_probing();
                assignment.on_unlisted(*backend);
            }
            stays
        });
    }

    /// Drops all backends: none of them gets requests, and none is probed.
    pub(super) fn drop_all(&mut self) {
        for known in std::mem::take(&mut self.backends).into_values() {
            known.state.stop_probing();
        }
        self.assignment.clear();
    }

    /// Backends that Kubernetes calls ready, or not ready, since the list before.
    fn heed_kubernetes(&mut self, before: &Targets) {
        let changed = self.backends.keys().filter_map(|backend| {
            let is_ready = |targets: &Targets| Some(targets.backends.get(backend)?.is_called_ready);
            let (was, is) = (is_ready(before)?, is_ready(&self.targets)?);
            (was != is).then_some((*backend, is))
        });
        for (backend, is_called_ready) in changed.collect::<Vec<_>>() {
            if is_called_ready {
                self.promote(backend);
            } else {
                self.demote(backend);
            }
        }
    }

    fn promote(&mut self, backend: SocketAddr) {
        let Some(known) = self.backends.get_mut(&backend) else {
            return;
        };
        if let State::Probing { reason, since, .. } = &mut known.state {
            known.record.seen.lock().answer = None;
            *since = Instant::now();
            if *reason != Reason::SetAside {
                self.restart(backend, Duration::ZERO);
            }
        }
    }

    fn demote(&mut self, backend: SocketAddr) {
        self.assignment.on_unhealthy(backend);
        match self.backends.get_mut(&backend).map(|it| &mut it.state) {
            Some(State::Probing { reason, .. }) if *reason == Reason::SetAside => {
                *reason = Reason::Demoted;
            }
            Some(State::Ready { .. }) => self.restart(backend, Duration::ZERO),
            Some(State::Probing { .. }) | None => {}
        }
    }

    /// Starts with those that are listed and not yet known.
    pub(super) fn start_new(&mut self) {
        if self.via.is_open() || !self.targets.allows_instances() {
            return;
        }
        let is_new = |(backend, _): &(&SocketAddr, &Named)| !self.backends.contains_key(*backend);
        let new = self.targets.backends.iter().filter(is_new);
        let new = new.map(|(backend, named)| (*backend, named.has_joined));
        for (backend, has_joined) in new.collect::<Vec<_>>() {
            if has_joined {
                self.assignment.on_joined(backend);
                self.is_ready(backend, Record::default());
            } else {
                let record = Record::default();
                self.start(backend, record, Reason::New, Instant::now(), Duration::ZERO);
            }
        }
    }
}
