//! All instances of all revisions, as a pure machine: what happened and the time go in, what is to be done comes out.
//!
//! What must not live here: processes, requests, the clock.

mod action;
mod event;
mod instance;
mod need;
mod plan;
mod restarts;
mod revision;
mod state;
mod step;

use std::collections::BTreeMap;
use std::time::Duration;

use reporter_core::RevisionKey;

pub use self::action::Action;
pub use self::event::{Ended, Event};
pub use self::state::{Cause, InstanceId, StartCause, State, StopCause};

use self::revision::Revision;
use self::step::Step;

#[cfg(test)]
mod tests;

/// All instances of all revisions.
#[derive(Debug, Default)]
pub struct Fleet {
    revisions: BTreeMap<RevisionKey, Revision>,
    /// Whose each instance is.
    owners: BTreeMap<InstanceId, RevisionKey>,
    last_id: u64,
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
            owners: &mut self.owners,
            actions,
        };
        let is_due = |next: Option<Duration>| next.is_some_and(|at| at <= step.now);
        let due = self.revisions.values().filter(|it| is_due(it.next));
        let mut affected: Vec<RevisionKey> = due.map(|it| it.key.clone()).collect();
        for key in &affected {
            if let Some(revision) = self.revisions.get_mut(key) {
                revision.recover(&mut step);
            }
        }
        if step.is_shutdown {
            affected = self.revisions.keys().cloned().collect();
        }
        affected.extend(happen(&mut self.revisions, event, &mut step));
        affected.sort_unstable();
        affected.dedup();
        for key in &affected {
            let Some(revision) = self.revisions.get_mut(key) else {
                continue;
            };
            revision.settle(&mut step);
            revision.grow(u32::MAX, &mut step);
            revision.finish(step.now);
            if revision.is_removed && revision.instances.is_empty() {
                self.revisions.remove(key);
            }
        }
    }

    /// When time alone changes something: `Event::Tick` is to come then.
    #[must_use]
    pub fn next(&self) -> Option<Duration> {
        self.revisions.values().filter_map(|it| it.next).min()
    }

    /// Whether there are no instances.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }
}

/// Takes an event. Returns the revision that it is about.
fn happen(
    revisions: &mut BTreeMap<RevisionKey, Revision>,
    event: Event,
    step: &mut Step<'_>,
) -> Option<RevisionKey> {
    let now = step.now;
    let key = match &event {
        Event::Specified(key, _)
        | Event::Removed(key)
        | Event::Wanted(key, _)
        | Event::MinScale(key, ..)
        | Event::Demand(key)
        | Event::InUse(key, _)
        | Event::Wake(key, _)
        | Event::Sleep(key) => key.clone(),
        Event::Ready(id) | Event::Ended(id, _) | Event::Drained(id, _) | Event::Busy(id, _) => {
            step.owners.get(id)?.clone()
        }
        Event::Shutdown | Event::Tick => return None,
    };
    if let Event::Specified(_, spec) = &event
        && !revisions.contains_key(&key)
    {
        let new = Revision::new(key.clone(), spec.clone(), now);
        revisions.insert(key.clone(), new);
    }
    let revision = revisions.get_mut(&key)?;
    match event {
        Event::Specified(_, spec) => revision.specify(spec, step),
        Event::Removed(_) => revision.remove(step),
        Event::Ready(id) => revision.on_ready(id, step),
        Event::Ended(id, Ended { how }) => revision.on_ended(id, how, step),
        Event::Drained(id, number) => revision.on_drained(id, number, step),
        Event::Busy(id, is_busy) => revision.on_busy(id, is_busy, now),
        _ if revision.is_removed => return None,
        Event::Wanted(_, wanted) => revision.need.wanted = wanted,
        Event::MinScale(_, floor, cause) => revision.need.set_floor(floor, cause),
        Event::Demand(_) => revision.on_demand(now),
        Event::InUse(_, is_in_use) => revision.on_use(is_in_use, now),
        Event::Wake(_, period) => revision.on_wake(now.saturating_add(period), step),
        Event::Sleep(_) => revision.need.on_sleep(),
        Event::Shutdown | Event::Tick => {}
    }
    Some(key)
}
