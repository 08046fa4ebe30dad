//! Which revision of a group gets a place in it, and who has to leave for that.
//!
//! All instances of its revisions count until they are gone: a frozen one still holds its memory. Whoever needs its first
//! instance comes first, in the order of waiting. For it an idle instance has to leave, the longest idle one first, once
//! it has been idle for as long as its start took, a second at most. If there is none, one that is in use gets no more
//! requests once the first of those that wait has waited for `max_wait` while it was there, and leaves when its own have
//! ended: each revision has a turn of `max_wait` at least. Until then `min_uptime` and the busy check count, a floor
//! never does. More instances for load or a floor take places that are free while nobody waits, or those of frozen ones.

use std::cmp::Reverse;
use std::time::Duration;

use super::instance::{Instance, Leave, Phase};
use super::revision::Revision;
use super::state::StopCause;
use super::step::Step;

/// One group, for one step.
pub(super) struct Group<'a> {
    /// Its revisions.
    members: Vec<&'a mut Revision>,
    /// How many instances there may be beside those that are there.
    free: u32,
    /// Those that will be gone soon, for whom nobody waits yet.
    leaving: Vec<At>,
}

/// An instance: the index of its revision, its own.
type At = (usize, usize);

/// Gives the places of the group of this name away. Its revisions are among `all`, and have settled.
pub(super) fn arrange<'a>(
    name: &str,
    all: impl Iterator<Item = &'a mut Revision>,
    step: &mut Step<'_>,
) {
    if step.is_shutdown {
        return;
    }
    let mut group = Group::new(name, all);
    let mut waiting: Vec<_> = group.waiting(step).collect();
    waiting.sort_by_key(|at| group.members[*at].need.wait);
    group.leaving = group.leaving(&waiting);
    let mut all_served = true;
    for at in waiting {
        all_served &= group.serve(at, step);
    }
    if all_served {
        group.pardon(step);
        group.grow(step);
    }
}

impl<'a> Group<'a> {
    fn new(name: &str, all: impl Iterator<Item = &'a mut Revision>) -> Self {
        let members: Vec<_> = all.filter(|it| it.group() == Some(name)).collect();
        let taken = members.iter().map(|it| it.count(|_| true)).sum();
        // While a file with another capacity is applied, the smaller one counts.
        let present = members.iter().filter(|it| !it.is_removed);
        let capacity = present.filter_map(|it| Some(it.spec.group.as_ref()?.capacity));
        let capacity = capacity.min().unwrap_or(0).max(1);
        Self {
            members,
            free: capacity.saturating_sub(taken),
            leaving: Vec::new(),
        }
    }

    /// Those that need their first instance.
    fn waiting(&self, step: &Step<'_>) -> impl Iterator<Item = usize> {
        let members = self.members.iter().enumerate();
        let waiting = members.filter(|(_, it)| it.need.wait.is_some());
        waiting
            .filter(|(_, it)| it.missing(step) > 0)
            .map(|(at, _)| at)
    }

    /// Those that will be gone soon. First those that nothing can bring back, last those that wait themselves.
    fn leaving(&self, waiting: &[usize]) -> Vec<At> {
        let mut leaving: Vec<_> = self.all().filter(|at| self.is_leaving(*at)).collect();
        leaving.sort_by_key(|at| {
            let is_evicted = self.at(*at).is_evicted();
            (is_evicted, is_evicted && waiting.contains(&at.0))
        });
        leaving
    }

    fn is_leaving(&self, at: At) -> bool {
        match self.at(at).phase {
            Phase::Stopping { .. } | Phase::Draining(StopCause::Evicted) => true,
            // Without requests it will not take long.
            Phase::Draining(_) => !self.members[at.0].need.is_used(),
            _ => false,
        }
    }

    /// Gives a revision its first instance, or sees to it that somebody leaves for it. Returns whether it has it.
    fn serve(&mut self, waiting: usize, step: &mut Step<'_>) -> bool {
        let own =
            |at: &At| at.0 == waiting && self.at(*at).phase == Phase::Draining(StopCause::Evicted);
        if let Some(own) = self.leaving.iter().position(own)
            && self.take_back(self.leaving[own], step)
        {
            self.leaving.remove(own);
            return true;
        }
        if self.members[waiting].places() == 0 {
            return false;
        }
        if self.free > 0 {
            self.free -= self.members[waiting].grow(1, step);
            return true;
        }
        if self.leaving.is_empty() {
            let first = self.first_turn(waiting);
            self.members[waiting].turn_at = first.map(|(until, _)| until);
            let _ = self.evict_idle(waiting, step)
                || self.claim_draining()
                || first.is_some_and(|(until, at)| self.evict_used(until, at, step));
        } else {
            let first = self.leaving.remove(0);
            self.claim(first);
        }
        false
    }

    /// It need not leave. Returns whether its revision takes it back.
    fn take_back(&mut self, at: At, step: &mut Step<'_>) -> bool {
        let member = &mut self.members[at.0];
        member.instances[at.1].phase = Phase::Draining(StopCause::Load);
        member.take_back(step);
        let phase = &mut member.instances[at.1].phase;
        if *phase != Phase::Ready {
            *phase = Phase::Draining(StopCause::Evicted);
            return false;
        }
        member.let_go(step);
        true
    }

    /// Nobody waits for those that leave: they need not.
    fn pardon(&mut self, step: &mut Step<'_>) {
        for at in self.leaving.clone() {
            if self.at(at).is_evicted() {
                self.take_back(at, step);
            }
        }
    }

    /// Has an idle instance leave.
    fn evict_idle(&mut self, waiting: usize, step: &mut Step<'_>) -> bool {
        let mut idle: Vec<_> = self.others(waiting).collect();
        idle.retain(|at| !self.members[at.0].need.is_used());
        idle.sort_by_key(|at| {
            let (member, instance) = (&self.members[at.0], self.at(*at));
            let is_frozen = instance.phase == Phase::Frozen;
            (!is_frozen, member.need.used_at, Reverse(instance.index))
        });
        for at in idle {
            let is_over = self.turn(waiting, at) <= step.now;
            if self.at(at).phase == Phase::Frozen {
                self.stop(at, step);
                return true;
            }
            let member = &mut *self.members[at.0];
            let (spec, instance) = (&member.spec, &mut member.instances[at.1]);
            let rested = member.need.used_at.saturating_add(instance.rest());
            if step.now < rested && !is_over {
                self.look_again(waiting, rested);
                continue;
            }
            let leave = match instance.up_since.saturating_add(spec.min_uptime) {
                _ if is_over => Leave::Granted,
                min_uptime if step.now < min_uptime => Leave::Refused,
                _ => instance.ask(spec, step),
            };
            if leave == Leave::Granted {
                instance.withdraw(StopCause::Evicted, step);
            }
            if leave != Leave::Refused {
                return true;
            }
        }
        false
    }

    /// Has one leave that is drained for another reason, and might come back.
    fn claim_draining(&mut self) -> bool {
        let may_return = |at: &At| {
            let phase = self.at(*at).phase;
            matches!(phase, Phase::Draining(StopCause::Idle | StopCause::Load))
        };
        let first = self
            .all()
            .filter(may_return)
            .min_by_key(|at| self.at(*at).since);
        first.is_some_and(|at| {
            self.claim(at);
            true
        })
    }

    /// One that leaves does not come back while somebody waits for it.
    fn claim(&mut self, at: At) {
        let phase = &mut self.members[at.0].instances[at.1].phase;
        if let Phase::Draining(cause @ (StopCause::Idle | StopCause::Load)) = phase {
            *cause = StopCause::Evicted;
        }
    }

    /// Has one leave, in use or not, if its turn is over.
    fn evict_used(&mut self, until: Duration, at: At, step: &mut Step<'_>) -> bool {
        let is_over = until <= step.now;
        if is_over {
            let instance = &mut self.members[at.0].instances[at.1];
            instance.withdraw(StopCause::Evicted, step);
        }
        is_over
    }

    /// Whose turn is over first, and when.
    fn first_turn(&self, waiting: usize) -> Option<(Duration, At)> {
        let ready = self
            .others(waiting)
            .filter(|at| self.at(*at).phase == Phase::Ready);
        let turns = ready.map(|at| (self.turn(waiting, at), at));
        turns.min_by_key(|(until, at)| (*until, self.at(*at).up_since))
    }

    /// At this time it may get its place.
    fn look_again(&mut self, waiting: usize, at: Duration) {
        let turn_at = &mut self.members[waiting].turn_at;
        *turn_at = Some(turn_at.map_or(at, |sooner| sooner.min(at)));
    }

    /// Until when an instance may take requests while this one waits.
    fn turn(&self, waiting: usize, at: At) -> Duration {
        let waiting = &self.members[waiting];
        let since = waiting.need.wait.map(|it| it.since).unwrap_or_default();
        let max_wait = waiting.spec.group.as_ref().map(|it| it.max_wait);
        let since = since.max(self.at(at).up_since);
        since.saturating_add(max_wait.unwrap_or_default())
    }

    /// Takes places that are free, or those of frozen instances.
    fn grow(&mut self, step: &mut Step<'_>) {
        let mut missing = 0;
        for member in &mut self.members {
            self.free -= member.grow(self.free, step);
            missing += member.missing(step).min(member.places());
        }
        let frozen = self.all().filter(|at| self.at(*at).phase == Phase::Frozen);
        let mut frozen: Vec<_> = frozen.collect();
        frozen.sort_by_key(|at| self.at(*at).since);
        let leaving = self.all().filter(|at| self.is_leaving(*at)).count();
        for at in frozen
            .into_iter()
            .take((missing as usize).saturating_sub(leaving))
        {
            self.stop(at, step);
        }
    }

    /// Ends a frozen one.
    fn stop(&mut self, at: At, step: &mut Step<'_>) {
        let member = &mut *self.members[at.0];
        let timeout = member.spec.stop_timeout;
        member.instances[at.1].stop(StopCause::Evicted, timeout, step);
    }

    fn all(&self) -> impl Iterator<Item = At> {
        let members = self.members.iter().enumerate();
        members.flat_map(|(at, member)| (0..member.instances.len()).map(move |own| (at, own)))
    }

    /// The ready and frozen ones of other revisions, none of which starts one at this moment.
    fn others(&self, waiting: usize) -> impl Iterator<Item = At> {
        let starts = |it: &Instance| it.phase == Phase::Starting;
        let is_there = |at: &At| matches!(self.at(*at).phase, Phase::Ready | Phase::Frozen);
        let others = self.all().filter(move |at| at.0 != waiting);
        let others = others.filter(move |at| self.members[at.0].count(starts) == 0);
        others.filter(is_there)
    }

    fn at(&self, at: At) -> &Instance {
        &self.members[at.0].instances[at.1]
    }
}
