//! What the machine wants done is done.

use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::super::*;
use super::{GOOD, Instance, Later, World};

impl World {
    pub(super) fn act(&mut self, action: &Action) {
        match action {
            Action::Start { id, key, .. } => self.start(*id, key),
            Action::Admit(id) => {
                let instance = self.instances.get_mut(id).unwrap();
                assert!(!instance.is_frozen && !instance.is_retired);
                instance.is_admitted = true;
                let key = instance.key.clone();
                self.dispatch(&key);
            }
            Action::Withdraw(id, number) => {
                let instance = self.instances.get_mut(id).unwrap();
                instance.is_admitted = false;
                instance.withdrawal = *number;
                if instance.requests.is_empty() {
                    self.report(Event::Drained(*id, *number));
                }
            }
            Action::Freeze(id) => {
                let instance = self.instances.get_mut(id).unwrap();
                assert!(instance.requests.is_empty(), "frozen with a request");
                instance.is_frozen = true;
            }
            Action::Thaw(id) => self.instances.get_mut(id).unwrap().is_frozen = false,
            Action::AskBusy(id) => {
                let whim = &mut self.instances.get_mut(id).unwrap().whim;
                let is_busy = whim.busy & 1 == 1;
                whim.busy >>= 1;
                self.report(Event::Busy(*id, is_busy));
            }
            Action::Stop(id) => {
                let instance = &self.instances[id];
                assert!(instance.requests.is_empty(), "stopped with a request");
                let whim = instance.whim.stop;
                if whim < 3 {
                    self.later(Duration::from_secs(whim.into()), Later::End(*id));
                }
            }
            Action::Kill(id) => {
                let instance = self.instances.get_mut(id).unwrap();
                assert!(instance.requests.is_empty(), "killed with a request");
                instance.is_frozen = false;
                let after = if instance.whim.stop == 4 { 25 } else { 0 };
                self.later(Duration::from_secs(after), Later::End(*id));
            }
            Action::Fail { key, .. } => {
                let service = self.services.get_mut(key).unwrap();
                service.has_failed = true;
                service.queue.clear();
            }
            Action::Recover(key) => {
                if let Some(service) = self.services.get_mut(key) {
                    service.has_failed = false;
                }
            }
            Action::Changed { id, to, .. } => {
                if to.is_none() {
                    self.instances.remove(id);
                }
            }
        }
    }

    pub(super) fn start(&mut self, id: InstanceId, key: &RevisionKey) {
        let whim = self.whims.pop_front().unwrap_or(GOOD);
        let instance = Instance {
            key: key.clone(),
            whim,
            is_up: false,
            is_admitted: false,
            is_retired: false,
            withdrawal: 0,
            requests: Vec::new(),
            is_frozen: false,
        };
        self.instances.insert(id, instance);
        match whim.start {
            7 => self.end(id, "could not be started: no such file"),
            6 => {}
            seconds => self.later(Duration::from_secs(seconds.into()), Later::Up(id)),
        }
    }
}
