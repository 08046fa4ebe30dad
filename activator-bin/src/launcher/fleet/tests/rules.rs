//! What must hold of every action, checked with the obvious bookkeeping: everything is kept, and counted anew each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::*;
use crate::revision::LaunchSpec;

mod rest;
mod seen;
mod told;

use seen::Seen;
use told::Told;

/// The rules, and what they need to know.
#[derive(Default)]
pub(super) struct Rules {
    seen: BTreeMap<InstanceId, Seen>,
    told: BTreeMap<RevisionKey, Told>,
    /// Whose instances failed in this step.
    failed: BTreeSet<RevisionKey>,
    last_id: u64,
    is_shutdown: bool,
}

impl Rules {
    /// Before the machine is told.
    pub(super) fn on_event(&mut self, event: &Event, now: Duration) {
        self.failed.clear();
        let key = match event {
            Event::Specified(key, _)
            | Event::Removed(key)
            | Event::Wanted(key, _)
            | Event::MinScale(key, ..)
            | Event::Demand(key)
            | Event::InUse(key, _)
            | Event::Wake(key, _)
            | Event::Sleep(key) => key,
            Event::Shutdown => {
                self.is_shutdown = true;
                return;
            }
            _ => return,
        };
        if let Event::Specified(_, spec) = event
            && (!self.told.contains_key(key) || self.is_gone(key))
        {
            self.told.insert(key.clone(), Told::new(spec, now));
        }
        if let Event::Removed(_) = event {
            for seen in self.seen.values_mut().filter(|it| it.key == *key) {
                seen.is_retired = true;
            }
        }
        let is_ready = self.count(key, Seen::is_ready) > 0;
        if let Some(told) = self.told.get_mut(key) {
            told.on_event(event, is_ready, now);
        }
    }

    pub(super) fn on_action(&mut self, action: &Action, now: Duration) {
        match action {
            Action::Start {
                id,
                key,
                index,
                spec,
                ..
            } => self.on_start(*id, key, *index, spec, now),
            Action::Fail { key, until, why } => {
                assert_eq!(self.count(key, Seen::is_up), 0, "an instance serves it");
                assert!(*until > now && !why.is_empty() && why.len() < 2_000);
                self.told.get_mut(key).unwrap().on_fail(*until);
            }
            Action::Recover(key) => {
                let told = self.told.get_mut(key).unwrap();
                assert!(told.failed_until.take().is_some(), "it has not failed");
            }
            Action::Changed {
                id,
                from,
                to,
                cause,
                after,
                ..
            } => self.on_changed(*id, (*from, *to), *cause, *after, now),
            Action::Admit(id) => {
                let seen = self.seen.get_mut(id).unwrap();
                assert!(!seen.is_admitted && !seen.is_frozen && seen.stopped_at.is_none());
                seen.is_admitted = true;
                seen.drained_for = None;
                self.told.get_mut(&seen.key).unwrap().on_admit(now);
            }
            Action::Withdraw(id, number) => {
                let seen = self.seen.get_mut(id).unwrap();
                assert!(seen.is_admitted && *number > seen.withdrawal);
                seen.is_admitted = false;
                seen.withdrawal = *number;
            }
            Action::Freeze(id) => {
                let seen = self.seen.get_mut(id).unwrap();
                assert!(!seen.is_admitted && !seen.is_frozen && seen.stopped_at.is_none());
                assert!(!seen.is_retired && !self.is_shutdown);
                seen.is_frozen = true;
            }
            Action::Thaw(id) => {
                let seen = self.seen.get_mut(id).unwrap();
                assert!(seen.is_frozen);
                seen.is_frozen = false;
                seen.up_since = now;
            }
            Action::AskBusy(id) => {
                let seen = &self.seen[id];
                assert!(seen.is_admitted && self.told[&seen.key].spec.busy_check.is_some());
            }
            Action::Stop(id) => {
                let seen = self.seen.get_mut(id).unwrap();
                assert!(!seen.is_admitted && !seen.is_frozen);
                assert_eq!(seen.stopped_at.replace(now), None, "it was stopped before");
            }
            Action::Kill(id) => self.on_kill(*id, now),
        }
    }

    fn on_start(
        &mut self,
        id: InstanceId,
        key: &RevisionKey,
        index: u32,
        spec: &Arc<LaunchSpec>,
        now: Duration,
    ) {
        let told = &self.told[key];
        assert!(id.0 > self.last_id, "the number was used before");
        assert!(!self.is_shutdown && !told.is_removed && !told.is_asleep);
        assert_eq!(told.failed_until, None, "it has failed");
        assert!(Arc::ptr_eq(spec, &told.spec) || **spec == *told.spec);
        let is_up = self.count(key, Seen::is_up) > 0;
        let live = self.count(key, |it| it.is_up() && !it.is_old(spec));
        assert!(
            live < told.target(is_up, now).max(usize::from(is_up)),
            "nobody needs it"
        );
        self.pauses_were_kept(told, now);
        assert_eq!(
            self.count(key, |it| it.index == index),
            0,
            "the index is taken"
        );
        let max_scale = told.max_scale() as usize;
        let total = self.count(key, |_| true);
        let same = self.count(key, |it| !it.is_old(spec));
        if told.is_single() {
            assert_eq!(total, 0, "the address is taken");
        }
        assert!(same < max_scale, "{same} are there");
        assert!(total < 2 * max_scale, "{total} are there");
        if let Some(name) = told.group() {
            let in_group = |it: &&Seen| self.told[&it.key].group() == Some(name);
            let taken = self.seen.values().filter(in_group).count();
            assert!(taken < self.capacity(name), "{taken} are in the group");
        }
        self.last_id = id.0;
        self.seen.insert(id, Seen::new(key, index, spec, now));
    }

    /// Whether nothing is left of a removed revision.
    fn is_gone(&self, key: &RevisionKey) -> bool {
        self.told[key].is_removed && self.count(key, |_| true) == 0
    }

    /// After failures nothing starts for a while.
    fn pauses_were_kept(&self, told: &Told, now: Duration) {
        let restarts = &told.spec.restarts;
        let failures = told.recent_failures(now);
        let Some((last, had_been_ready)) = told.failures.last() else {
            return;
        };
        let is_free = *had_been_ready && failures <= 1;
        let pause = match failures {
            _ if is_free => Duration::ZERO,
            // At least, whatever the kinds of those before.
            3.. => restarts.backoff * 2,
            _ => restarts.backoff,
        };
        assert!(now >= *last + pause, "it starts again at once");
    }

    /// The places of a group.
    fn capacity(&self, name: &str) -> usize {
        let members = self
            .told
            .values()
            .filter(|it| !it.is_removed && it.group() == Some(name));
        let capacity = members.filter_map(|it| Some(it.spec.group.as_ref()?.capacity));
        capacity.min().unwrap() as usize
    }

    fn on_kill(&mut self, id: InstanceId, now: Duration) {
        let seen = self.seen.get_mut(&id).unwrap();
        assert!(!seen.is_admitted);
        let told = &self.told[&seen.key];
        let due = match (seen.kills.last(), seen.stopped_at) {
            (Some(last), _) => *last + Duration::from_secs(10),
            (None, Some(stopped_at)) => {
                stopped_at + told.spec.stop_timeout.min(seen.spec.stop_timeout)
            }
            (None, None) => {
                assert_eq!(seen.state, Some(State::Starting));
                seen.since + told.spec.start_timeout
            }
        };
        assert!(now >= due, "killed before its time");
        seen.kills.push(now);
    }

    fn on_changed(
        &mut self,
        id: InstanceId,
        (from, to): (Option<State>, Option<State>),
        cause: Cause,
        after: Duration,
        now: Duration,
    ) {
        let seen = self.seen.get_mut(&id).unwrap();
        assert_eq!(from, seen.state);
        assert_eq!(after, now - seen.since);
        if from == to {
            assert!(seen.kills.len() > 1);
            return;
        }
        seen.state = to;
        seen.since = now;
        if from == Some(State::Starting) && to == Some(State::Ready) {
            seen.up_since = now;
            seen.start_took = after;
        }
        seen.drained_for = match (to, cause) {
            (Some(State::Draining), Cause::Stop(cause)) => Some(cause),
            _ => None,
        };
        let told = self.told.get_mut(&seen.key).unwrap();
        let is_failure = match cause {
            Cause::Stop(StopCause::StartFailed) => from == Some(State::Starting),
            Cause::Stop(StopCause::Crash) => true,
            _ => false,
        };
        if is_failure && !seen.is_old(&told.spec) && !self.is_shutdown && !told.is_removed {
            let had_been_ready = from != Some(State::Starting);
            told.failures.push((now, had_been_ready));
            self.failed.insert(seen.key.clone());
        }
        assert_eq!(seen.is_admitted, to == Some(State::Ready));
        assert_eq!(seen.is_frozen && to.is_some(), to == Some(State::Frozen));
        let (key, up_since) = (seen.key.clone(), seen.up_since);
        let rest = seen.start_took.min(Duration::from_secs(1));
        if to == Some(State::Draining) {
            self.on_drained(&key, up_since, rest, cause, now);
        }
        if to.is_none() {
            self.seen.remove(&id);
        }
    }

    /// An instance gets no more requests.
    fn on_drained(
        &self,
        key: &RevisionKey,
        up_since: Duration,
        rest: Duration,
        cause: Cause,
        now: Duration,
    ) {
        let told = &self.told[key];
        let is_used = told.is_used();
        let has_been_up = now >= up_since + told.spec.min_uptime;
        match cause {
            Cause::Stop(StopCause::Idle) => {
                assert!(!is_used && !told.has_floor(now));
                assert!(has_been_up && now >= told.used_at + told.spec.scale.stable_window);
            }
            Cause::Stop(StopCause::Load) => {
                let ready = self.count(key, Seen::is_ready);
                assert!(has_been_up && ready > 0);
            }
            Cause::Stop(StopCause::Evicted) => {
                let starting = self.count(key, |it| it.state == Some(State::Starting));
                assert_eq!(starting, 0, "one of the evicted starts");
                let of_group = |told: &Told| told.group() == self.told[key].group();
                let others = self
                    .told
                    .iter()
                    .filter(|(it, told)| *it != key && of_group(told));
                let waiting =
                    others.filter(|(key, it)| it.is_used() && self.count(key, Seen::is_up) == 0);
                let max_wait = waiting.filter_map(|(_, it)| Some(it.spec.group.as_ref()?.max_wait));
                let max_wait = max_wait.min().expect("nobody waits for it");
                let had_turn = now >= up_since + max_wait;
                assert!(
                    had_turn || (!is_used && has_been_up && now >= told.used_at + rest),
                    "evicted before its turn is over"
                );
            }
            Cause::Stop(StopCause::Admin) => assert!(told.is_asleep),
            Cause::Stop(StopCause::Removed) => assert!(told.is_removed),
            Cause::Stop(StopCause::Shutdown) => assert!(self.is_shutdown),
            Cause::Stop(StopCause::Changed) => {}
            _ => panic!("drained for {cause:?}"),
        }
    }

    fn count(&self, key: &RevisionKey, which: impl Fn(&Seen) -> bool) -> usize {
        let own = self.seen.values().filter(|it| it.key == *key);
        own.filter(|it| which(it)).count()
    }
}
