//! What follows when instances of a revision end by themselves: pauses that double, then a time in which it has failed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::revision::launch::Restarts;

/// The most failures that are counted, whatever `max_restarts` says.
const MOST: usize = 10_000;

/// How many failures pauses depend on, where fewer are too many.
const DOUBLINGS: usize = 32;

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
        if self.failures.len() > most.max(DOUBLINGS) {
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

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Restarts = Restarts {
        backoff: Duration::from_secs(1),
        max_backoff: Duration::from_secs(10),
        max_restarts: 6,
        window: Duration::from_secs(100),
    };

    /// Failures at these times, and until when nothing starts after each.
    fn check(has_others: bool, failures: &[(u64, Failure, u64)]) {
        let mut history = History::default();
        for &(at, failure, until) in failures {
            let now = Duration::from_secs(at);
            assert!(!history.holds(now), "a failure while nothing starts");
            let failed = history.on_failure(failure, has_others, &SETTINGS, now);
            let [not_before, _] = history.deadlines();
            let held = failed.or(not_before).unwrap_or(now).max(now);
            assert_eq!(held, Duration::from_secs(until), "after {at} s");
            assert!(!history.holds(held) || failed.is_some());
            history.recover(held);
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        use Failure::{Crash, Start};

        check(
            false,
            &[
                (0, Start, 1),
                (1, Start, 3),
                (3, Start, 7),
                (7, Start, 15),
                (15, Start, 25),
                (25, Start, 35),
            ],
        );
        // The first crash within the window is no reason to wait.
        check(
            false,
            &[
                (0, Crash, 0),
                (0, Crash, 1),
                (2, Crash, 4),
                (200, Crash, 200),
            ],
        );
        check(false, &[(0, Crash, 0), (5, Start, 7), (8, Crash, 10)]);
    }

    #[test]
    fn too_many_within_the_window_are_a_failure_unless_others_serve() {
        use Failure::Start;

        let until = [1, 3, 7, 15, 25, 35];
        let mut at = 0;
        let mut failures = until.map(|until| (std::mem::replace(&mut at, until), Start, until));
        let mut more = failures.to_vec();
        more.extend([(35, Start, 45), (45, Start, 55)]);
        check(false, &more);
        check(true, &more);

        let mut history = History::default();
        for (at, failure, _) in &mut failures {
            let now = Duration::from_secs(*at);
            assert_eq!(history.on_failure(*failure, false, &SETTINGS, now), None);
        }
        let now = Duration::from_secs(40);
        assert_eq!(history.on_failure(Start, true, &SETTINGS, now), None);
        let until = Some(Duration::from_secs(50));
        assert_eq!(history.on_failure(Start, false, &SETTINGS, now), until);
        // A second one at the same moment does not make it last longer.
        assert_eq!(history.on_failure(Start, false, &SETTINGS, now), None);
        assert!(!history.recover(now) && history.recover(now + Duration::from_secs(10)));
        // All but the last are too old to count.
        let now = Duration::from_secs(139);
        assert_eq!(history.on_failure(Start, false, &SETTINGS, now), None);
        assert!(!history.clear());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut history = History::default();
        let settings = Restarts {
            max_restarts: u32::MAX,
            ..SETTINGS
        };
        for _ in 0..3 * MOST {
            history.on_failure(Failure::Start, true, &settings, Duration::ZERO);
        }
        assert!(history.failures.len() <= MOST + 1);
    }
}
