//! What must hold whenever the machine has said all that is to be done: nothing that could be done was left.

use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::super::*;
use super::Rules;
use super::seen::Seen;
use super::told::Told;
use crate::revision::launch::IdleAction;

impl Rules {
    /// After the machine was told and everything was done.
    pub(in super::super) fn on_rest(&mut self, fleet: &Fleet, now: Duration) {
        assert_eq!(fleet.is_empty(), self.seen.is_empty());
        assert!(
            fleet.next().is_none_or(|next| next > now),
            "it is due for ever"
        );
        assert!(fleet.owners.keys().eq(self.seen.keys()));
        let instances = fleet.revisions.values().map(|it| it.instances.len());
        assert_eq!(instances.sum::<usize>(), self.seen.len());
        for (key, told) in &self.told {
            let is_there = self.count(key, |_| true) > 0;
            let is_known = fleet.revisions.contains_key(key);
            assert_eq!(
                is_known,
                is_there || !told.is_removed,
                "{key} is forgotten in time"
            );
            self.on_failures(key, told, now);
            if self.is_shutdown || told.is_removed || told.is_asleep {
                self.is_ending(key);
            } else {
                self.has_enough(key, told, now);
                self.has_no_more(key, told, now);
                self.is_replaced(key, told, now);
            }
        }
        self.keep_waits(now);
        if !self.is_shutdown {
            self.groups_are_fair(now);
        }
    }

    /// Too many failures are a failure of the revision, unless another instance serves it.
    fn on_failures(&self, key: &RevisionKey, told: &Told, now: Duration) {
        let is_over = told.failed_until.is_some_and(|until| until <= now);
        assert!(!is_over || self.is_shutdown, "it has failed for too long");
        let most = told.spec.restarts.max_restarts as usize;
        let serves = |it: &Seen| it.is_up() || it.drained_for.is_some() || it.is_frozen;
        if self.failed.contains(key)
            && told.recent_failures(now) > most
            && self.count(key, serves) == 0
            && !self.is_shutdown
            && !told.is_removed
            && !told.is_asleep
        {
            assert!(told.failed_until.is_some(), "it fails for ever");
        }
    }

    /// Nothing takes requests any more.
    fn is_ending(&self, key: &RevisionKey) {
        let stays = |it: &Seen| it.is_up() || it.is_frozen;
        assert_eq!(self.count(key, stays), 0, "it should end");
    }

    /// What is needed is there or starts, unless there is no place or it has just failed.
    fn has_enough(&self, key: &RevisionKey, told: &Told, now: Duration) {
        let up = |it: &Seen| it.is_up() && !it.is_old(&told.spec);
        let target = told.target(self.count(key, Seen::is_up) > 0, now);
        if self.count(key, up) >= target {
            return;
        }
        let returns = |it: &Seen| {
            let is_drained = it.drained_for.is_some_and(|it| it != StopCause::Evicted);
            let is_claimed = told.group().is_some();
            !it.is_old(&told.spec) && (it.is_frozen || (is_drained && !is_claimed))
        };
        assert_eq!(self.count(key, returns), 0, "one could come back");
        let total = self.count(key, |_| true);
        let current = self.count(key, |it| !it.is_old(&told.spec));
        let max_scale = told.max_scale() as usize;
        let is_held = told.recent_failures(now) > 0;
        let has_place = match told.is_single() {
            true => total == 0,
            false => current < max_scale && total < 2 * max_scale,
        };
        assert!(
            is_held || !has_place || told.group().is_some(),
            "there are {current} of {target}"
        );
    }

    /// What nobody needs is let go of.
    fn has_no_more(&self, key: &RevisionKey, told: &Told, now: Duration) {
        let window = told.used_at + told.spec.scale.stable_window;
        if told.spec.busy_check.is_some() || (!told.is_used() && now < window) {
            return;
        }
        let target = told.target(true, now).max(usize::from(told.is_used()));
        let may_go = |it: &Seen| it.is_ready() && it.up_since + told.spec.min_uptime <= now;
        assert!(self.count(key, may_go) <= target.max(self.count(key, Seen::is_ready).min(target)));
        let is_frozen = |it: &Seen| it.is_frozen;
        if let IdleAction::Freeze { freeze_for } = told.spec.idle_action {
            let is_over = |it: &Seen| it.is_frozen && it.since + freeze_for <= now;
            assert_eq!(self.count(key, is_over), 0, "frozen for too long");
        } else {
            assert_eq!(self.count(key, is_frozen), 0, "frozen for too long");
        }
    }

    /// An old one stays only until a new one has its place.
    fn is_replaced(&self, key: &RevisionKey, told: &Told, now: Duration) {
        let old = |it: &Seen| it.is_old(&told.spec) && (it.is_ready() || it.is_frozen);
        let starts = |it: &Seen| it.is_old(&told.spec) && it.state == Some(State::Starting);
        assert_eq!(self.count(key, starts), 0, "an old one starts");
        let new = |it: &Seen| !it.is_old(&told.spec) && it.is_ready();
        let (old, new) = (self.count(key, old), self.count(key, new));
        let target = told.target(true, now).max(1);
        assert!(
            old == 0 || old + new <= target,
            "{old} old ones, {new} new ones"
        );
    }

    fn keep_waits(&mut self, now: Duration) {
        let keys: Vec<_> = self.told.keys().cloned().collect();
        for key in keys {
            let is_up = self.count(&key, Seen::is_up) > 0;
            let told = self.told.get_mut(&key).unwrap();
            let waits = told.is_used() && !is_up && !told.is_asleep;
            told.waits_since = told.waits_since.filter(|_| waits).or(waits.then_some(now));
        }
    }

    /// While somebody waits for a place of a group, all are taken, and one that may leave does.
    fn groups_are_fair(&self, now: Duration) {
        for (key, told) in &self.told {
            let (Some(group), Some(since)) = (&told.spec.group, told.waits_since) else {
                continue;
            };
            let own = self.count(key, |_| true);
            if told.recent_failures(now) > 0 || told.is_removed || own > 0 {
                continue;
            }
            let others = |it: &Seen| self.told[&it.key].group() == Some(group.name.as_str());
            let others: Vec<_> = self.seen.values().filter(|it| others(it)).collect();
            let capacity = self.capacity(&group.name);
            assert!(others.len() >= capacity, "there is a place for {key}");
            let leaves = |it: &Seen| {
                it.stopped_at.is_some() || it.drained_for.is_some() || !it.kills.is_empty()
            };
            let may_be_asked = |it: &Seen| {
                let of = &self.told[&it.key];
                of.spec.busy_check.is_some() && !of.is_used()
            };
            if others.iter().any(|it| leaves(it) || may_be_asked(it)) {
                continue;
            }
            for other in others {
                let starting = |it: &Seen| it.state == Some(State::Starting);
                if self.count(&other.key, starting) > 0 {
                    continue;
                }
                let of = &self.told[&other.key];
                let has_been_up = other.up_since + of.spec.min_uptime <= now;
                let rested = of.used_at + other.start_took.min(Duration::from_secs(1));
                let may_leave = other.is_frozen || (has_been_up && rested <= now);
                assert!(of.is_used() || !may_leave, "{} is idle", other.key);
                let had_turn = other.up_since.max(since) + group.max_wait <= now;
                assert!(!had_turn, "{} had its turn", other.key);
            }
        }
    }
}
