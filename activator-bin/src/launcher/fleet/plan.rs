//! What follows for the instances of one revision from how many it needs.
//!
//! Everything is derived anew from the state in each step, so that it does not matter which event has changed it.
//! What must not live here: other revisions of its group (see `groups`).

use super::instance::{Instance, Leave, Phase};
use super::revision::Revision;
use super::state::{StartCause, StopCause};
use super::step::Step;

impl Revision {
    /// Does all that needs no place for another instance.
    pub(super) fn settle(&mut self, step: &mut Step<'_>) {
        self.turn_at = None;
        self.on_time(step);
        if step.is_shutdown {
            self.end_all(StopCause::Shutdown, step);
        } else if self.is_removed {
            self.end_all(StopCause::Removed, step);
        } else if self.need.is_asleep {
            self.end_all(StopCause::Admin, step);
        } else {
            self.retire(step);
            self.take_back(step);
            self.let_go(step);
        }
        let has_any = self.has_any();
        self.need.wait_unless(has_any, step);
    }

    /// Ends the step.
    pub(super) fn finish(&mut self, step: &mut Step<'_>) {
        if self.missing(step) == 0 && !self.history.holds(step.now) {
            self.instead = None;
        }
        let has_any = self.has_any();
        self.need.wait_unless(has_any, step);
        for instance in &mut self.instances {
            instance.on_step_end();
        }
        self.next = self
            .deadlines()
            .into_iter()
            .filter(|at| *at > step.now)
            .min();
    }

    /// Starts what is missing, as far as there is place. Returns how many.
    pub(super) fn grow(&mut self, places: u32, step: &mut Step<'_>) -> u32 {
        let mut started = 0;
        while self.missing(step) > 0 && self.places() > 0 && started < places {
            self.start(step);
            started += 1;
        }
        if self.missing(step) > 0 && self.count_current() < self.max_scale() {
            self.make_place(step);
        }
        started
    }

    fn start(&mut self, step: &mut Step<'_>) {
        let serving = self.count_live();
        let is_replaced = self.count(|it| self.is_old(it) && it.phase == Phase::Ready) > 0;
        let cause = match self.instead.take() {
            Some(cause) => cause,
            None if is_replaced => StartCause::Changed,
            None => self.need.cause(serving, step.now),
        };
        let is_free = |index: &u32| self.instances.iter().all(|it| it.index != *index);
        let index = (0..u32::MAX).find(is_free).unwrap_or(u32::MAX);
        let instance = Instance::start(&self.key, index, &self.spec, cause, step);
        self.instances.push(instance);
    }

    /// Where there is no place beside what was started from another specification: its place.
    fn make_place(&mut self, step: &mut Step<'_>) {
        let is_leaving = |it: &Instance| {
            matches!(it.phase, Phase::Draining(_) | Phase::Stopping { .. }) && self.is_old(it)
        };
        if self.count(is_leaving) == 0 {
            self.withdraw_old(1, step);
        }
    }

    /// How many instances are missing and may be started by now.
    pub(super) fn missing(&self, step: &Step<'_>) -> u32 {
        if step.is_shutdown || self.is_removed || self.history.holds(step.now) {
            return 0;
        }
        self.target(step).saturating_sub(self.count_live())
    }

    /// How many more instances there may be. While a changed one is replaced there are twice as many at most.
    pub(super) fn places(&self) -> u32 {
        let total = self.count(|_| true);
        let max_scale = self.max_scale();
        if self.is_single() {
            return max_scale.saturating_sub(total);
        }
        let most = max_scale.saturating_mul(2).saturating_sub(total);
        max_scale.saturating_sub(self.count_current()).min(most)
    }

    fn target(&self, step: &Step<'_>) -> u32 {
        let window = self.spec.scale.stable_window;
        let target = self.need.target(self.has_any(), window, step.now);
        target.min(self.max_scale())
    }

    /// Whether it was started from another specification.
    fn is_old(&self, instance: &Instance) -> bool {
        !instance.is_current(&self.spec)
    }

    /// Those that take requests or will, as they should be by now.
    pub(super) fn count_live(&self) -> u32 {
        self.count(|it| matches!(it.phase, Phase::Starting | Phase::Ready) && !self.is_old(it))
    }

    fn count_current(&self) -> u32 {
        self.count(|it| !self.is_old(it))
    }

    /// Whether any takes requests or will.
    pub(super) fn has_any(&self) -> bool {
        self.count(|it| matches!(it.phase, Phase::Starting | Phase::Ready)) > 0
    }

    /// Ends everything once it has no requests.
    fn end_all(&mut self, cause: StopCause, step: &mut Step<'_>) {
        let timeout = self.spec.stop_timeout;
        for instance in &mut self.instances {
            match instance.phase {
                Phase::Starting | Phase::Frozen => instance.stop(cause, timeout, step),
                Phase::Ready => instance.withdraw(cause, step),
                Phase::Draining(StopCause::Idle | StopCause::Load) => {
                    instance.phase = Phase::Draining(cause);
                }
                Phase::Draining(_) | Phase::Stopping { .. } => {}
            }
        }
    }

    /// Ends what has no requests and was started from another specification. What is ready stays until it is replaced.
    fn retire(&mut self, step: &mut Step<'_>) {
        let timeout = self.spec.stop_timeout;
        let cause = StopCause::Changed;
        for instance in &mut self.instances {
            if instance.is_current(&self.spec) {
                continue;
            }
            match instance.phase {
                Phase::Starting => {
                    instance.stop(cause, timeout, step);
                    self.instead = Some(StartCause::Changed);
                }
                Phase::Frozen => instance.stop(cause, timeout, step),
                Phase::Draining(StopCause::Idle | StopCause::Load) => {
                    instance.phase = Phase::Draining(cause);
                }
                _ => {}
            }
        }
    }

    /// Takes back what was frozen or drained, if it is needed.
    pub(super) fn take_back(&mut self, step: &mut Step<'_>) {
        loop {
            let live = self.count_live();
            if live >= self.target(step) {
                return;
            }
            let is_grouped = self.spec.group.is_some();
            let may_stay = |it: &Instance| match it.phase {
                Phase::Frozen => true,
                Phase::Draining(cause) => cause != StopCause::Evicted || !is_grouped,
                _ => false,
            };
            let all = self.instances.iter_mut();
            let current = all.filter(|it| it.is_current(&self.spec) && may_stay(it));
            let first = current.min_by_key(|it| (it.phase != Phase::Frozen, it.index));
            let Some(instance) = first else {
                return;
            };
            let cause = self.need.cause(live, step.now);
            instance.admit(cause, step);
            self.need.on_admit(step.now);
        }
    }

    /// Withdraws what is ready and not needed. Whatever the load, the same ones are kept: those of the lowest index.
    pub(super) fn let_go(&mut self, step: &mut Step<'_>) {
        let target = self.target(step);
        let ready = self.count(|it| it.phase == Phase::Ready);
        let excess = ready.saturating_sub(target);
        let excess = excess - self.withdraw_old(excess, step);
        let cause = match target {
            0 => StopCause::Idle,
            _ => StopCause::Load,
        };
        let ready = self.instances.iter_mut();
        let mut ready: Vec<_> = ready.filter(|it| it.phase == Phase::Ready).collect();
        ready.sort_by_key(|it| std::cmp::Reverse(it.index));
        for instance in ready.into_iter().take(excess as usize) {
            let min_uptime = instance.up_since.saturating_add(self.spec.min_uptime);
            if step.now >= min_uptime && instance.ask(&self.spec, step) == Leave::Granted {
                instance.withdraw(cause, step);
            }
        }
    }

    /// Withdraws as many of those that were started from another specification. Returns how many.
    fn withdraw_old(&mut self, most: u32, step: &mut Step<'_>) -> u32 {
        let ready = self.instances.iter_mut();
        let old = ready.filter(|it| it.phase == Phase::Ready && !it.is_current(&self.spec));
        let mut old: Vec<_> = old.collect();
        old.sort_by_key(|it| std::cmp::Reverse(it.index));
        let mut count = 0;
        for instance in old.into_iter().take(most as usize) {
            instance.withdraw(StopCause::Changed, step);
            self.instead = Some(StartCause::Changed);
            count += 1;
        }
        count
    }
}
