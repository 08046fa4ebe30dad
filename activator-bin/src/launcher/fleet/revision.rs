//! One revision: its instances, and what happens to them.
//!
//! What must not live here: what follows from it (see `plan`).

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::action::Action;
use super::instance::{Instance, Phase};
use super::need::Need;
use super::restarts::{Failure, History};
use super::state::{InstanceId, StartCause, StopCause, StopKind};
use super::step::Step;
use crate::revision::LaunchSpec;
use crate::revision::launch::{IdleAction, PortSpec, Start};

/// The longest reason of a failure, in characters; what is known of an end is cut.
const WHY_LIMIT: usize = 300;

/// One revision.
#[derive(Clone, Debug)]
pub(super) struct Revision {
    pub(super) key: RevisionKey,
    pub(super) spec: Arc<LaunchSpec>,
    /// It is only there until its instances are gone.
    pub(super) is_removed: bool,
    pub(super) need: Need,
    pub(super) history: History,
    /// In the order in which they were started.
    pub(super) instances: Vec<Instance>,
    /// Why the next one is started, if that is in place of another.
    pub(super) instead: Option<StartCause>,
    /// When it may have a place of its group that another one has now.
    pub(super) turn_at: Option<Duration>,
    /// When something is due.
    pub(super) next: Option<Duration>,
}

impl Revision {
    pub(super) fn new(key: RevisionKey, spec: Arc<LaunchSpec>, now: Duration) -> Self {
        Self {
            key,
            is_removed: false,
            need: Need::new(spec.scale.min_scale, now),
            history: History::default(),
            instances: Vec::new(),
            instead: None,
            turn_at: None,
            next: None,
            spec,
        }
    }

    /// It has changed, or is there again.
    pub(super) fn specify(&mut self, spec: Arc<LaunchSpec>, step: &mut Step<'_>) {
        if !self.is_removed && *self.spec != *spec {
            self.forgive(step);
        }
        self.is_removed = false;
        let min_scale = spec.scale.min_scale;
        self.need.set_floor(min_scale, StartCause::MinScale);
        self.spec = spec;
    }

    /// It is no longer there. Another one by its name has nothing to do with its instances.
    pub(super) fn remove(&mut self, step: &mut Step<'_>) {
        self.is_removed = true;
        self.instead = None;
        self.need = Need::new(0, step.now);
        for instance in &mut self.instances {
            instance.is_retired = true;
        }
        self.forgive(step);
    }

    /// A request waits.
    pub(super) fn on_demand(&mut self, now: Duration) {
        let is_refused = self.history.is_failed();
        if !is_refused && !self.has_ready() {
            self.need.on_demand(now);
            self.on_used();
        }
    }

    pub(super) fn on_use(&mut self, is_in_use: bool, now: Duration) {
        self.need.on_use(is_in_use, now);
        self.on_used();
    }

    fn on_used(&mut self) {
        for instance in &mut self.instances {
            instance.on_used();
        }
    }

    pub(super) fn on_wake(&mut self, until: Duration, step: &mut Step<'_>) {
        self.forgive(step);
        self.need.on_wake(until, self.has_ready());
    }

    /// An instance says that it is ready.
    pub(super) fn on_ready(&mut self, id: InstanceId, step: &mut Step<'_>) {
        let instance = self.instance(id);
        if let Some(instance) = instance.filter(|it| it.phase == Phase::Starting) {
            instance.on_ready(step);
            self.need.on_admit(step.now);
        }
    }

    /// An instance that was withdrawn has no request left.
    pub(super) fn on_drained(&mut self, id: InstanceId, number: u64, step: &mut Step<'_>) {
        let timeout = self.spec.stop_timeout;
        let may_freeze = self.may_freeze(id);
        let instance = self.instance(id);
        let Some(instance) = instance.filter(|it| it.is_withdrawal(number)) else {
            return;
        };
        match instance.phase {
            Phase::Draining(cause @ StopCause::Idle) if may_freeze => instance.freeze(cause, step),
            Phase::Draining(cause) => instance.stop(cause, timeout, step),
            _ => {}
        }
    }

    /// Whether an idle instance is frozen: only the last one.
    fn may_freeze(&self, id: InstanceId) -> bool {
        let is_leaving = |it: &Instance| matches!(it.phase, Phase::Stopping { .. });
        let mut others = self.instances.iter().filter(|it| it.id != id);
        matches!(self.spec.idle_action, IdleAction::Freeze { .. }) && others.all(is_leaving)
    }

    /// An instance has said whether it is busy.
    pub(super) fn on_busy(&mut self, id: InstanceId, is_busy: bool, now: Duration) {
        if let Some(instance) = self.instance(id) {
            instance.on_busy(is_busy, now);
        }
    }

    /// An instance is gone.
    pub(super) fn on_ended(&mut self, id: InstanceId, how: String, step: &mut Step<'_>) {
        let Some(at) = self.instances.iter().position(|it| it.id == id) else {
            return;
        };
        let instance = self.instances.remove(at);
        let failure = match instance.phase {
            Phase::Starting => Some(Failure::Start),
            Phase::Ready | Phase::Frozen | Phase::Draining(_) => Some(Failure::Crash),
            Phase::Stopping { .. } => None,
        };
        let is_current = instance.is_current(&self.spec);
        let why = failure.map(|_| how.clone());
        instance.end(how, step);
        if let (Some(failure), Some(why), true) = (failure, why, is_current) {
            self.on_failure(failure, &why, step);
        }
    }

    /// Gives up instances that should be ready by now, kills those that should be gone, ends those that were frozen for
    /// too long.
    pub(super) fn on_time(&mut self, step: &mut Step<'_>) {
        let timeout = self.spec.stop_timeout;
        let start_timeout = self.spec.start_timeout;
        let freeze_for = match self.spec.idle_action {
            IdleAction::Freeze { freeze_for } => freeze_for,
            IdleAction::Stop => Duration::ZERO,
        };
        let mut failed = 0;
        let how = format!("not ready within {start_timeout:?}");
        for instance in &mut self.instances {
            let is_over = |limit| step.now >= instance.since.saturating_add(limit);
            match instance.phase {
                Phase::Starting if is_over(start_timeout) => {
                    instance.give_up(how.clone(), timeout, step);
                    failed += u32::from(instance.is_current(&self.spec));
                }
                Phase::Frozen if is_over(freeze_for) => {
                    instance.stop(StopCause::Idle, timeout, step);
                }
                _ => instance.on_time(step),
            }
        }
        for _ in 0..failed {
            self.on_failure(Failure::Start, &how, step);
        }
    }

    fn on_failure(&mut self, failure: Failure, how: &str, step: &mut Step<'_>) {
        if step.is_shutdown || self.is_removed {
            return;
        }
        let settings = &self.spec.restarts;
        let has_others = self.instances.iter().any(|it| match it.phase {
            Phase::Starting | Phase::Ready | Phase::Frozen => true,
            Phase::Draining(cause) => cause != StopCause::Changed,
            Phase::Stopping { .. } => false,
        });
        self.instead = Some(StartCause::Crash);
        let failed = self
            .history
            .on_failure(failure, has_others, settings, step.now);
        if let Some(until) = failed {
            self.instead = None;
            self.need.on_refused();
            let why: String = match failure {
                Failure::Start => format!("no instance could be started: the last one: {how}"),
                Failure::Crash => format!("its instances do not stay up: the last one: {how}"),
            };
            let why = why.chars().take(WHY_LIMIT).collect();
            let key = self.key.clone();
            step.act(Action::Fail { key, until, why });
        }
    }

    /// Its failures count no more.
    fn forgive(&mut self, step: &mut Step<'_>) {
        if self.history.clear() {
            step.act(Action::Recover(self.key.clone()));
        }
    }

    /// It may be tried again, if it had failed until now.
    pub(super) fn recover(&mut self, step: &mut Step<'_>) {
        if self.history.recover(step.now) {
            step.act(Action::Recover(self.key.clone()));
        }
    }

    fn instance(&mut self, id: InstanceId) -> Option<&mut Instance> {
        self.instances.iter_mut().find(|it| it.id == id)
    }

    fn has_ready(&self) -> bool {
        self.count(|it| it.phase == Phase::Ready) > 0
    }

    pub(super) fn count(&self, which: impl Fn(&Instance) -> bool) -> u32 {
        let count = self.instances.iter().filter(|it| which(it)).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The name of its group.
    pub(super) fn group(&self) -> Option<&str> {
        let group = self.spec.group.as_ref();
        group.map(|it| it.name.as_str())
    }

    /// Whether there can only be one, as all would be at the same address.
    pub(super) fn is_single(&self) -> bool {
        match &self.spec.start {
            Start::Process(process) => matches!(process.port, PortSpec::Fixed(_)),
            Start::Commands { .. } => true,
        }
    }

    /// The most instances.
    pub(super) fn max_scale(&self) -> u32 {
        match self.is_single() {
            true => 1,
            false => self.spec.scale.max_scale.max(1),
        }
    }

    /// When its last instance is stopped or frozen if there is no request until then, and which. The load of before may
    /// keep it a little longer.
    pub(super) fn next_stop(&self) -> Option<(Duration, StopKind)> {
        let freeze = match self.spec.idle_action {
            IdleAction::Freeze { freeze_for } => Some(freeze_for),
            IdleAction::Stop => None,
        };
        let ready = self.instances.iter().filter(|it| it.phase == Phase::Ready);
        if let Some(up_since) = ready.map(|it| it.up_since).max() {
            let kept = self.need.kept_until(self.spec.scale.stable_window)?;
            let kept = kept.max(up_since.saturating_add(self.spec.min_uptime));
            let kind = freeze.map_or(StopKind::Stop, |_| StopKind::Freeze);
            return Some((kept, kind));
        }
        let frozen = self.instances.iter().find(|it| it.phase == Phase::Frozen)?;
        Some((frozen.since.saturating_add(freeze?), StopKind::Stop))
    }

    /// When something may change by time alone.
    pub(super) fn deadlines(&self) -> Vec<Duration> {
        let spec = &self.spec;
        let mut all = Vec::new();
        all.extend(self.need.deadlines(spec.scale.stable_window));
        all.extend(self.history.deadlines().into_iter().flatten());
        all.extend(self.turn_at);
        for instance in &self.instances {
            let since = instance.since;
            match (instance.phase, spec.idle_action) {
                (Phase::Starting, _) => all.push(since.saturating_add(spec.start_timeout)),
                (Phase::Frozen, IdleAction::Freeze { freeze_for }) => {
                    all.push(since.saturating_add(freeze_for));
                }
                (Phase::Stopping { kill_at, .. }, _) => all.push(kill_at),
                (Phase::Ready, _) => {
                    all.push(instance.up_since.saturating_add(spec.min_uptime));
                    all.extend(instance.asked_until());
                }
                _ => {}
            }
        }
        all
    }
}
