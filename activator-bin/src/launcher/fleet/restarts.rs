//! What follows when instances of a revision end by themselves: pauses that double, then a time in which it has failed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::revision::launch::Restarts;

/// The most failures that are counted, whatever `max_restarts` says.
const MOST: usize = 10_000;

/// What ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// An instance that was not ready yet.
    Start,
    /// One that had been ready.
    Crash,
}

/// The failures of one revision, and what they hold up.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    /// When they were, within the window, the oldest first.
    failures: VecDeque<Duration>,
    /// Nothing starts before.
    not_before: Option<Duration>,
    /// Until when the revision has failed.
    failed: Option<Duration>,
}

impl History {
    /// Returns until when the revision has failed from now on, if these were too many. They are not if it `has_others`, which serve it.
    ///
    /// The first failure within the window is no reason to wait if the instance had been ready.
    pub(super) fn on_failure(
        &mut self,
        failure: Failure,
        has_others: bool,
        settings: &Restarts,
        now: Duration,
    ) -> Option<Duration> {
        let is_old = |at: &Duration| at.saturating_add(settings.window) <= now;
        while self.failures.front().is_some_and(is_old) {
            self.failures.pop_front();
        }
        let most = usize::try_from(settings.max_restarts).map_or(MOST, |most| most.min(MOST));
        if self.failures.len() > most {
            self.failures.pop_front();
        }
        self.failures.push_back(now);
        if self.is_failed() {
            return None;
        }
        let count = self.failures.len();
        if count > most && !has_others {
            let until = now.saturating_add(settings.max_backoff);
            self.not_before = None;
            self.failed = Some(until);
            return self.failed;
        }
        let doublings = match (failure, count) {
            (Failure::Crash, 1) => return None,
            (Failure::Crash, count) => count - 2,
            (Failure::Start, count) => count - 1,
        };
        let factor = 1_u32.checked_shl(u32::try_from(doublings).unwrap_or(u32::MAX));
        let pause = settings.backoff.saturating_mul(factor.unwrap_or(u32::MAX));
        let until = now.saturating_add(pause.min(settings.max_backoff));
        self.not_before = self.not_before.max(Some(until));
        None
    }

    /// Whether nothing may start yet.
    pub(super) fn holds(&self, now: Duration) -> bool {
        self.is_failed() || self.not_before.is_some_and(|until| now < until)
    }

    pub(super) fn is_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Whether the revision had failed until now.
    pub(super) fn recover(&mut self, now: Duration) -> bool {
        self.failed.take_if(|until| *until <= now).is_some()
    }

    /// Forgets everything. Returns whether the revision had failed.
    pub(super) fn clear(&mut self) -> bool {
        std::mem::take(self).is_failed()
    }

    /// When more may start.
    pub(super) fn deadlines(&self) -> [Option<Duration>; 2] {
        [self.not_before, self.failed]
    }
}
