//! What the log was told of one peer that is well or fails: each change, but neither of the two more often than
//! every few seconds. Pure.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;

/// So much time passes between two lines that say the same of the same peer.
pub(crate) const PAUSE: Duration = Duration::from_secs(5);

/// What the log was told of one peer.
#[derive(Debug, Default)]
pub(crate) struct HealthLog {
    /// Whether the last line said that it fails; none before the first one.
    failing: Option<bool>,
    /// When it was last said that it is well, and that it fails.
    last: [Option<Instant>; 2],
    /// Those since the last line.
    failures: u64,
}

impl HealthLog {
    /// It has failed once more. With the failures since the last line, this one included, when that is to be logged.
    pub(crate) fn on_failure(&mut self, now: Instant) -> Option<u64> {
        self.failures = self.failures.saturating_add(1);
        self.tell(true, now)
    }

    /// It is well. With the failures since the last line when that is to be logged.
    pub(crate) fn on_success(&mut self, now: Instant) -> Option<u64> {
        self.tell(false, now)
    }

    /// Whether the log says that it fails, so that a success has to be told sooner or later.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing == Some(true)
    }

    fn tell(&mut self, failing: bool, now: Instant) -> Option<u64> {
        let last = &mut self.last[usize::from(failing)];
        let is_early = last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE);
        if self.failing == Some(failing) || is_early {
            return None;
        }
        *last = Some(now);
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
        let (mut told, start) = (HealthLog::default(), Instant::now());
        let mut lines = Vec::new();
        for (at, event) in (0..).zip(history.bytes()) {
            let now = start + at * MS;
            let line = match event {
                b'x' => told.on_failure(now).map(|failures| ("fails", failures)),
                b'.' => told.on_success(now).map(|failures| ("is well", failures)),
                _ => None,
            };
            lines.extend(line);
        }
        assert_eq!(lines, expected, "{history:?}");
    }

    #[test]
    fn a_change_is_told_once() {
        check("", &[]);
        check("....", &[("is well", 0)]);
        check("xxxx", &[("fails", 1)]);
        check("..xxx..", &[("is well", 0), ("fails", 1)]);
        check("xxx...", &[("fails", 1), ("is well", 2)]);
    }

    #[test]
    fn who_goes_to_and_fro_is_told_every_few_seconds() {
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
    fn what_it_has_come_to_is_told_in_the_end() {
        let well = format!("x.x.x{}", ".".repeat(6_000));
        check(&well, &[("fails", 1), ("is well", 0)]);
        let fails = format!("x.x.{}", "x".repeat(6_000));
        let expected = [("fails", 1), ("is well", 0), ("fails", 4_998)];
        check(&fails, &expected);
    }

    #[test]
    fn a_success_that_came_too_early_is_told_later() {
        let (mut told, start) = (HealthLog::default(), Instant::now());
        assert_eq!(told.on_success(start), Some(0));
        assert_eq!(told.on_failure(start), Some(1));
        assert_eq!(told.on_success(start + MS), None);
        assert!(told.is_failing());
        assert_eq!(told.on_success(start + PAUSE), Some(0));
        assert!(!told.is_failing());
    }
}
