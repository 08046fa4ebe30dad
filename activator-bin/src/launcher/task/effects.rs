//! Does what the machine says.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::{Instance, Task};
use crate::launcher::fleet::{Action, Cause, Ended, Event, InstanceId, State};
use crate::launcher::log::Change;
use crate::launcher::process::Running;
use crate::revision::{Failure, ServedRevision};

impl Task {
    pub(super) fn act(&mut self, action: Action) {
        match action {
            Action::Start {
                id,
                key,
                index,
                spec,
                ..
            } => {
                self.hold(&key);
                let service = self.services.get(&key);
                let parts =
                    service.and_then(|it| Some((it.config.backends.clone(), it.served.clone()?)));
                let Some((backends, served)) = parts else {
                    // The machine will hear of that next.
                    let how = "its revision was removed".to_owned();
                    self.later.push_back(Event::Ended(id, Ended { how }));
                    return;
                };
                let sender = self.sender.clone();
                let running = self
                    .parts
                    .processes
                    .start(id, &key, index, &spec, &backends, sender);
                let running = Arc::new(running);
                let statuses = &self.parts.statuses;
                statuses.on_start(&key, id, index, Arc::clone(&running));
                let instance = Instance {
                    key,
                    running,
                    served,
                    is_admitted: false,
                };
                self.instances.insert(id, instance);
            }
            Action::Admit(id) => self.admit(id, true),
            Action::Withdraw(id, number) => {
                self.admit(id, false);
                self.watch_vacated(id, number);
            }
            Action::Freeze(id) => self.with(id, Running::freeze),
            Action::Thaw(id) => self.with(id, Running::thaw),
            Action::AskBusy(id) => self.with(id, Running::ask_busy),
            Action::Stop(id) => self.with(id, Running::stop),
            Action::Kill(id) => self.with(id, Running::kill),
            Action::Fail { key, until, why } => self.fail(&key, Some((until, why))),
            Action::Recover(key) => self.fail(&key, None),
            Action::Changed {
                id,
                key,
                index,
                from,
                to,
                cause,
                after,
                note,
            } => {
                let change = Change {
                    key: &key,
                    index,
                    from,
                    to,
                    cause,
                    after,
                    note: &note,
                };
                change.log();
                self.on_changed(id, &change);
            }
        }
    }

    fn with(&self, id: InstanceId, act: impl FnOnce(&Running)) {
        if let Some(instance) = self.instances.get(&id) {
            act(&instance.running);
        }
    }

    /// Whether an instance takes requests is another.
    fn admit(&mut self, id: InstanceId, is_admitted: bool) {
        let Some(instance) = self.instances.get_mut(&id) else {
            return;
        };
        instance.is_admitted = is_admitted;
        let (key, served) = (instance.key.clone(), Arc::clone(&instance.served));
        self.set_places(&key, &served);
        if let Some(service) = self.services.get_mut(&key) {
            service.watch_starving(&self.sender);
        }
    }

    /// Those that take requests get them from now on, and no others.
    fn set_places(&self, key: &RevisionKey, served: &Arc<ServedRevision>) {
        let all = self.instances.values();
        let own = all.filter(|it| it.is_admitted && it.key == *key);
        let own = own.filter(|it| Arc::ptr_eq(&it.served, served));
        let places: Vec<_> = own.flat_map(|it| it.running.places()).cloned().collect();
        self.parts.revisions.set_places(served, &places);
    }

    /// Waits until an instance that was withdrawn has no request left.
    fn watch_vacated(&self, id: InstanceId, number: u64) {
        let Some(instance) = self.instances.get(&id) else {
            return;
        };
        let (served, running) = (Arc::clone(&instance.served), Arc::clone(&instance.running));
        let sender = self.sender.clone();
        tokio::spawn(async move {
            for place in running.places() {
                served.throttle.vacated(place.address).await;
            }
            // The launcher is gone if nobody takes it.
            let _ = sender.send(Event::Drained(id, number)).await;
        });
    }

    /// Has requests of a revision refused until a time, or no longer.
    fn fail(&mut self, key: &RevisionKey, failure: Option<(Duration, String)>) {
        self.hold(key);
        let now = self.now();
        let failure = failure.map(|(until, why)| (until.saturating_sub(now), why));
        self.parts.statuses.on_failure(key, failure.clone());
        let Some(service) = self.services.get_mut(key) else {
            return;
        };
        service.waits_since = None;
        if let Some(served) = &service.served {
            served.set_failed(failure.map(|(pause, why)| Failure {
                until: std::time::Instant::now() + pause,
                why,
            }));
        }
    }

    /// Keeps the figures, and forgets an instance that is gone.
    fn on_changed(&mut self, id: InstanceId, change: &Change<'_>) {
        let key = change.key;
        let now = self.now();
        let statuses = Arc::clone(&self.parts.statuses);
        statuses.on_state(key, id, change.to);
        if change.from == change.to {
            return;
        }
        let is_woken = change.from == Some(State::Frozen) && change.to == Some(State::Ready);
        match change.cause {
            Cause::Start(cause) if change.to == Some(State::Starting) || is_woken => {
                statuses.started(key, cause);
            }
            Cause::Stop(cause)
                if matches!(change.to, Some(State::Stopping | State::Frozen))
                    || (change.to.is_none() && change.from != Some(State::Stopping)) =>
            {
                statuses.stopped(key, cause);
            }
            _ => {}
        }
        if let Some(service) = self.services.get_mut(key) {
            if change.from.is_none() {
                service.instances += 1;
            }
            if change.to.is_none() {
                service.instances = service.instances.saturating_sub(1);
            }
            if change.from == Some(State::Ready) {
                service.ready = service.ready.saturating_sub(1);
                service.was_ready = true;
            }
            if change.to == Some(State::Ready) {
                service.ready += 1;
                let waited = service
                    .waits_since
                    .take()
                    .map(|since| now.saturating_sub(since));
                statuses.ready(key, waited.unwrap_or(change.after));
            }
        }
        if change.to.is_none()
            && let Some(gone) = self.instances.remove(&id)
        {
            self.set_places(&gone.key, &gone.served);
        }
    }
}
