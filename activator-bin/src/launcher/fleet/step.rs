//! One step of the machine: its time, and what comes out.

use std::collections::BTreeMap;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::action::Action;
use super::state::InstanceId;

/// Somebody waits. Whoever has waited longer is less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wait {
    number: u64,
    pub(super) since: Duration,
}

/// One step.
pub(super) struct Step<'a> {
    pub(super) now: Duration,
    /// Whether everything is to stop.
    pub(super) is_shutdown: bool,
    /// The number that was given last.
    pub(super) last_id: &'a mut u64,
    /// The same of those that wait.
    pub(super) last_wait: &'a mut u64,
    /// Whose each instance is.
    pub(super) owners: &'a mut BTreeMap<InstanceId, RevisionKey>,
    pub(super) actions: &'a mut Vec<Action>,
}

impl Step<'_> {
    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// The number of a new instance.
    pub(super) fn register(&mut self, key: &RevisionKey) -> InstanceId {
        *self.last_id += 1;
        let id = InstanceId(*self.last_id);
        self.owners.insert(id, key.clone());
        id
    }

    /// Begins to wait, behind all that wait.
    pub(super) fn wait(&mut self) -> Wait {
        *self.last_wait += 1;
        Wait {
            number: *self.last_wait,
            since: self.now,
        }
    }

    /// An instance is gone.
    pub(super) fn forget(&mut self, id: InstanceId) {
        self.owners.remove(&id);
    }
}
