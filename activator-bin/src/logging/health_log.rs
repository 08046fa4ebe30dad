//! Which changes of a peer's health are logged: each failure and recovery, but each of the two only every few seconds.
//! Pure.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;

use super::rate_limit::AtMostEvery;

/// The shortest time between two equal lines about the same peer.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// What was logged of one peer's health.
#[derive(Debug)]
pub(crate) struct HealthLog {
    /// Whether the last line said that it fails; `None` before the first one.
    failing: Option<bool>,
    /// For lines that it is healthy, and that it fails.
    limits: [AtMostEvery; 2],
    /// Failures since the last line.
    failures: u64,
}

impl Default for HealthLog {
    fn default() -> Self {
        Self {
            failing: None,
            limits: [const { AtMostEvery::new(PAUSE) }; 2],
            failures: 0,
        }
    }
}

impl HealthLog {
    /// It has failed. If this is to be logged, returns the number of failures since the last line, including this one.
    pub(crate) fn on_failure(&mut self, now: Instant) -> Option<u64> {
        self.failures = self.failures.saturating_add(1);
        self.log(true, now)
    }

    /// It is healthy. If this is to be logged, returns the number of failures since the last line.
    pub(crate) fn on_success(&mut self, now: Instant) -> Option<u64> {
        self.log(false, now)
    }

    /// Whether it was last logged as failing, so that a success has to be logged sooner or later.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing == Some(true)
    }

    fn log(&mut self, failing: bool, now: Instant) -> Option<u64> {
        if self.failing == Some(failing) || !self.limits[usize::from(failing)].allows(now) {
            return None;
        }
        self.failing = Some(failing);
        Some(mem::take(&mut self.failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// The lines of a history in which each letter is a ms: `x` a failure, `.` a success, ` ` nothing.
    fn check(history: &str, expected: &[(&str, u64)]) {
        let (mut log, start) = (HealthLog::default(), Instant::now());
        let mut lines = Vec::new();
        for (at, event) in (0..).zip(history.bytes()) {
            let now = start + at * MS;
            let line = match event {
                b'x' => log.on_failure(now).map(|failures| ("fails", failures)),
                b'.' => log.on_success(now).map(|failures| ("is well", failures)),
                _ => None,
            };
            lines.extend(line);
        }
        assert_eq!(lines, expected, "{history:?}");
    }

    #[test]
    fn a_change_is_logged_once() {
        check("", &[]);
        check("....", &[("is well", 0)]);
        check("xxxx", &[("fails", 1)]);
        check("..xxx..", &[("is well", 0), ("fails", 1)]);
        check("xxx...", &[("fails", 1), ("is well", 2)]);
    }

    #[test]
    fn a_flapping_peer_is_logged_every_few_seconds() {
        let flapping = "x.".repeat(6_000);
        let expected = [
            ("fails", 1),
            ("is well", 0),
            ("fails", 2_500),
            ("is well", 0),
            ("fails", 2_500),
            ("is well", 0),
        ];
        check(&flapping, &expected);
    }

    #[test]
    fn the_final_state_is_logged() {
        let well = format!("x.x.x{}", ".".repeat(6_000));
        check(&well, &[("fails", 1), ("is well", 0)]);
        let fails = format!("x.x.{}", "x".repeat(6_000));
        let expected = [("fails", 1), ("is well", 0), ("fails", 4_998)];
        check(&fails, &expected);
    }

    #[test]
    fn a_success_that_came_too_early_is_logged_later() {
        let (mut log, start) = (HealthLog::default(), Instant::now());
        assert_eq!(log.on_success(start), Some(0));
        assert_eq!(log.on_failure(start), Some(1));
        assert_eq!(log.on_success(start + MS), None);
        assert!(log.is_failing());
        assert_eq!(log.on_success(start + PAUSE), Some(0));
        assert!(!log.is_failing());
    }
}
