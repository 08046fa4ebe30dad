//! All instances of all revisions, as a pure machine: what happened and the time go in, what is to be done comes out.
//!
//! What must not live here: processes, requests, the clock.

mod action;
mod event;
mod groups;
mod instance;
mod need;
mod plan;
mod restarts;
mod revision;
mod state;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

pub use self::action::Action;
pub use self::event::{Ended, Event};
pub use self::state::{Cause, InstanceId, StartCause, State, StopCause, StopKind};

use self::revision::Revision;
use self::step::Step;

#[cfg(test)]
mod tests;

/// All instances of all revisions.
#[derive(Clone, Debug, Default)]
pub struct Fleet {
    revisions: BTreeMap<RevisionKey, Revision>,
    /// Whose each instance is.
    owners: BTreeMap<InstanceId, RevisionKey>,
    last_id: u64,
    last_wait: u64,
    /// The latest time that was told.
    now: Duration,
    is_shutdown: bool,
}

impl Fleet {
    /// One without revisions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends to `actions` what is to be done, in this order, as `event` has happened. `now` is since any moment; going
    /// back counts as no time. Events of instances that are gone, and of revisions that are not there, are ignored.
    pub fn on(&mut self, event: Event, now: Duration, actions: &mut Vec<Action>) {
        self.now = self.now.max(now);
        self.is_shutdown |= event == Event::Shutdown;
        let mut step = Step {
            now: self.now,
            is_shutdown: self.is_shutdown,
            last_id: &mut self.last_id,
            last_wait: &mut self.last_wait,
            owners: &mut self.owners,
            actions,
        };
        let revisions = &mut self.revisions;
        let is_due = |it: &&Revision| it.next.is_some_and(|at| at <= step.now);
        let all = revisions.values();
        let mut keys: BTreeSet<_> = match step.is_shutdown {
            true => all.map(|it| it.key.clone()).collect(),
            false => all.filter(is_due).map(|it| it.key.clone()).collect(),
        };
        for key in &keys {
            if let Some(revision) = revisions.get_mut(key) {
                revision.recover(&mut step);
            }
        }
        keys.extend(subject(&event, step.owners));
        let mut groups = groups_of(revisions, &keys);
        happen(revisions, event, &mut step);
        groups.extend(groups_of(revisions, &keys));
        let is_member = |it: &&Revision| it.group().is_some_and(|name| groups.contains(name));
        keys.extend(
            revisions
                .values()
                .filter(is_member)
                .map(|it| it.key.clone()),
        );
        for key in &keys {
            if let Some(revision) = revisions.get_mut(key) {
                revision.settle(&mut step);
                if revision.group().is_none() {
                    revision.grow(u32::MAX, &mut step);
                }
            }
        }
        for name in &groups {
            groups::arrange(name, revisions.values_mut(), &mut step);
        }
        for key in &keys {
            if let Some(revision) = revisions.get_mut(key) {
                revision.finish(&mut step);
                if revision.is_removed && revision.instances.is_empty() {
                    revisions.remove(key);
                }
            }
        }
    }

    /// When time alone changes something: `Event::Tick` is to come then.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.revisions.values().filter_map(|it| it.next).min()
    }

    /// When the last instance of a revision is stopped or frozen if there is no request until then, and which; `None` if
    /// it has requests, or instances whatever the load, or none.
    #[must_use]
    pub fn next_stop(&self, key: &RevisionKey) -> Option<(Duration, StopKind)> {
        self.revisions.get(key)?.next_stop()
    }

    /// Whether there are no instances.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }
}

/// The groups of these revisions.
fn groups_of(
    revisions: &BTreeMap<RevisionKey, Revision>,
    keys: &BTreeSet<RevisionKey>,
) -> BTreeSet<String> {
    let revisions = keys.iter().filter_map(|key| revisions.get(key));
    let names = revisions.filter_map(Revision::group);
    names.map(ToOwned::to_owned).collect()
}

/// The revision that an event is about.
fn subject(event: &Event, owners: &BTreeMap<InstanceId, RevisionKey>) -> Option<RevisionKey> {
    match event {
        Event::Specified(key, _)
        | Event::Removed(key)
        | Event::Wanted(key, _)
        | Event::MinScale(key, ..)
        | Event::Demand(key)
        | Event::InUse(key, _)
        | Event::Wake(key, _)
        | Event::Sleep(key) => Some(key.clone()),
        Event::Ready(id) | Event::Ended(id, _) | Event::Drained(id, _) | Event::Busy(id, _) => {
            owners.get(id).cloned()
        }
        Event::Shutdown | Event::Tick => None,
    }
}

/// Takes an event. What follows from it is decided afterwards.
fn happen(revisions: &mut BTreeMap<RevisionKey, Revision>, event: Event, step: &mut Step<'_>) {
    let now = step.now;
    let Some(key) = subject(&event, step.owners) else {
        return;
    };
    if let Event::Specified(_, spec) = &event
        && !revisions.contains_key(&key)
    {
        let new = Revision::new(key.clone(), Arc::clone(spec), now);
        revisions.insert(key.clone(), new);
    }
    let Some(revision) = revisions.get_mut(&key) else {
        return;
    };
    match event {
        Event::Specified(_, spec) => revision.specify(spec, step),
        Event::Removed(_) => revision.remove(step),
        Event::Ready(id) => revision.on_ready(id, step),
        Event::Ended(id, Ended { how }) => revision.on_ended(id, how, step),
        Event::Drained(id, number) => revision.on_drained(id, number, step),
        Event::Busy(id, is_busy) => revision.on_busy(id, is_busy, now),
        // There may be requests for the one by its name that is still to come.
        Event::InUse(_, is_in_use) => revision.on_use(is_in_use, now),
        _ if revision.is_removed => {}
        Event::Wanted(_, wanted) => revision.need.wanted = wanted,
        Event::MinScale(_, floor, cause) => revision.need.set_floor(floor, cause),
        Event::Demand(_) => revision.on_demand(now),
        Event::Wake(_, period) => revision.on_wake(now.saturating_add(period), step),
        Event::Sleep(_) => revision.need.on_sleep(),
        Event::Shutdown | Event::Tick => {}
    }
}
