//! What must hold of every action, checked with the obvious bookkeeping: everything is kept, and counted anew each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::*;
use crate::revision::LaunchSpec;
use crate::revision::launch::{PortSpec, Start};

/// What is known of an instance from the actions.
struct Seen {
    key: RevisionKey,
    index: u32,
    spec: Arc<LaunchSpec>,
    is_retired: bool,
    state: Option<State>,
    since: Duration,
    /// Since when it has taken requests, without pauses in which it was drained.
    up_since: Duration,
    is_admitted: bool,
    is_frozen: bool,
    withdrawal: u64,
    stopped_at: Option<Duration>,
    kills: Vec<Duration>,
}

/// What was told of a revision.
#[derive(Clone)]
struct Told {
    spec: Arc<LaunchSpec>,
    is_removed: bool,
    is_in_use: bool,
    has_demand: bool,
    /// The admin port waits for it.
    is_woken: bool,
    used_at: Duration,
    floor: u32,
    awake_until: Duration,
    is_asleep: bool,
    failed_until: Option<Duration>,
}

impl Told {
    fn is_used(&self) -> bool {
        self.is_in_use || self.has_demand || self.is_woken
    }
}

/// The rules, and what they need to know.
#[derive(Default)]
pub(super) struct Rules {
    seen: BTreeMap<InstanceId, Seen>,
    told: BTreeMap<RevisionKey, Told>,
    last_id: u64,
    is_shutdown: bool,
}

/// Whether two specifications start the same.
fn is_same(one: &LaunchSpec, other: &LaunchSpec) -> bool {
    one.start == other.start && one.ready == other.ready
}

fn is_single(spec: &LaunchSpec) -> bool {
    match &spec.start {
        Start::Process(process) => matches!(process.port, PortSpec::Fixed(_)),
        Start::Commands { .. } => true,
    }
}

fn group(spec: &LaunchSpec) -> Option<&str> {
    spec.group.as_ref().map(|it| it.name.as_str())
}

impl Rules {
    /// Before the machine is told.
    pub(super) fn on_event(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Specified(key, spec) => self.on_spec(key, spec, now),
            Event::Removed(key) => {
                for seen in self.seen.values_mut().filter(|it| it.key == *key) {
                    seen.is_retired = true;
                }
                if let Some(told) = self.told.get_mut(key) {
                    told.is_removed = true;
                }
            }
            Event::Shutdown => self.is_shutdown = true,
            _ => self.on_need(event, now),
        }
    }

    fn on_spec(&mut self, key: &RevisionKey, spec: &Arc<LaunchSpec>, now: Duration) {
        let told = self.told.get(key).filter(|it| !it.is_removed);
        let mut new = Told {
            spec: Arc::clone(spec),
            is_removed: false,
            is_in_use: false,
            has_demand: false,
            is_woken: false,
            used_at: now,
            floor: spec.scale.min_scale,
            awake_until: Duration::ZERO,
            is_asleep: false,
            failed_until: None,
        };
        if let Some(told) = told {
            new = Told {
                spec: new.spec,
                floor: new.floor,
                ..told.clone()
            };
            if told.spec == *spec {
                new.floor = told.floor;
            }
        }
        self.told.insert(key.clone(), new);
    }

    fn on_need(&mut self, event: &Event, now: Duration) {
        let key = match event {
            Event::MinScale(key, ..)
            | Event::Demand(key)
            | Event::InUse(key, _)
            | Event::Wake(key, _)
            | Event::Sleep(key) => key,
            _ => return,
        };
        let is_ready = self.count(key, |it| it.state == Some(State::Ready)) > 0;
        let Some(told) = self.told.get_mut(key).filter(|it| !it.is_removed) else {
            return;
        };
        match event {
            Event::MinScale(_, floor, _) => told.floor = *floor,
            Event::Demand(_) if !is_ready && told.failed_until.is_none_or(|at| at <= now) => {
                told.has_demand = true;
                told.is_asleep = false;
                told.used_at = now;
            }
            Event::InUse(_, is_in_use) => {
                told.is_in_use = *is_in_use;
                told.has_demand &= is_in_use;
                told.used_at = now;
            }
            Event::Wake(_, period) => {
                told.awake_until = told.awake_until.max(now + *period);
                told.is_asleep = false;
                told.is_woken |= !is_ready;
            }
            Event::Sleep(_) => {
                told.awake_until = Duration::ZERO;
                told.is_asleep = true;
                told.has_demand = false;
                told.is_woken = false;
            }
            _ => {}
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
                let is_there = |it: &Seen| it.state.is_some_and(|it| it == State::Ready);
                assert_eq!(self.count(key, is_there), 0, "an instance serves it");
                assert!(*until > now && !why.is_empty() && why.len() < 2_000);
                let told = self.told.get_mut(key).unwrap();
                assert_eq!(told.failed_until.replace(*until), None, "it has failed");
                told.has_demand = false;
                told.is_woken = false;
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
                let told = self.told.get_mut(&seen.key).unwrap();
                told.has_demand = false;
                told.is_woken = false;
                told.used_at = now;
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
        let needs = told.is_used() || told.floor > 0 || told.awake_until > now;
        let is_up = |it: &Seen| matches!(it.state, Some(State::Starting | State::Ready));
        assert!(needs || self.count(key, is_up) > 0, "nobody needs it");
        assert_eq!(
            self.count(key, |it| it.index == index),
            0,
            "the index is taken"
        );
        let max_scale = spec.scale.max_scale as usize;
        let total = self.count(key, |_| true);
        let same = self.count(key, |it| !it.is_retired && is_same(&it.spec, spec));
        if is_single(spec) {
            assert_eq!(total, 0, "the address is taken");
        }
        assert!(same < max_scale, "{same} are there");
        assert!(total < 2 * max_scale, "{total} are there");
        if let Some(name) = group(spec) {
            let is_member = |told: &Told| group(&told.spec) == Some(name);
            let in_group = |it: &&Seen| is_member(&self.told[&it.key]);
            let taken = self.seen.values().filter(in_group).count();
            let present = self
                .told
                .values()
                .filter(|it| !it.is_removed && is_member(it));
            let capacity = present.filter_map(|it| Some(it.spec.group.as_ref()?.capacity));
            assert!(
                taken < capacity.min().unwrap() as usize,
                "{taken} are in the group"
            );
        }
        self.last_id = id.0;
        let seen = Seen {
            key: key.clone(),
            index,
            spec: Arc::clone(spec),
            is_retired: false,
            state: None,
            since: now,
            up_since: now,
            is_admitted: false,
            is_frozen: false,
            withdrawal: 0,
            stopped_at: None,
            kills: Vec::new(),
        };
        self.seen.insert(id, seen);
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
        }
        assert_eq!(seen.is_admitted, to == Some(State::Ready));
        assert_eq!(seen.is_frozen && to.is_some(), to == Some(State::Frozen));
        let (key, up_since) = (seen.key.clone(), seen.up_since);
        if to == Some(State::Draining) {
            self.on_drained(&key, up_since, cause, now);
        }
        if to.is_none() {
            self.seen.remove(&id);
        }
    }

    /// An instance gets no more requests.
    fn on_drained(&self, key: &RevisionKey, up_since: Duration, cause: Cause, now: Duration) {
        let told = &self.told[key];
        let is_used = told.is_used();
        let has_been_up = now >= up_since + told.spec.min_uptime;
        match cause {
            Cause::Stop(StopCause::Idle) => {
                assert!(!is_used && told.floor == 0 && now >= told.awake_until);
                assert!(has_been_up && now >= told.used_at + told.spec.scale.stable_window);
            }
            Cause::Stop(StopCause::Load) => {
                let ready = self.count(key, |it| it.state == Some(State::Ready));
                assert!(has_been_up && ready > 0);
            }
            Cause::Stop(StopCause::Evicted) => {
                let starting = self.count(key, |it| it.state == Some(State::Starting));
                assert_eq!(starting, 0, "one of the evicted starts");
                let name = group(&told.spec);
                let others = self
                    .told
                    .iter()
                    .filter(|(it, told)| *it != key && group(&told.spec) == name);
                let is_up = |it: &Seen| matches!(it.state, Some(State::Starting | State::Ready));
                let waiting =
                    others.filter(|(key, it)| it.is_used() && self.count(key, is_up) == 0);
                let max_wait = waiting.filter_map(|(_, it)| Some(it.spec.group.as_ref()?.max_wait));
                let max_wait = max_wait.min().expect("nobody waits for it");
                let had_turn = now >= up_since + max_wait;
                assert!(
                    had_turn || (!is_used && has_been_up),
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

    /// After the machine was told and everything was done.
    pub(super) fn on_done(&self, fleet: &Fleet, now: Duration) {
        assert_eq!(fleet.is_empty(), self.seen.is_empty());
        assert!(
            fleet.next().is_none_or(|next| next > now),
            "it is due for ever"
        );
        let in_table: BTreeSet<_> = fleet.owners.keys().collect();
        assert!(in_table.into_iter().eq(self.seen.keys()));
        let instances = fleet.revisions.values().map(|it| it.instances.len());
        assert_eq!(instances.sum::<usize>(), self.seen.len());
        for revision in fleet.revisions.values() {
            assert!(!revision.is_removed || !revision.instances.is_empty());
        }
    }
}
