//! Limits how often a line is logged. Pure.

use std::time::Duration;

use tokio::time::Instant;

/// Allows one line per period.
#[derive(Debug)]
pub(crate) struct AtMostEvery {
    period: Duration,
    last: Option<Instant>,
}

impl AtMostEvery {
    pub(crate) const fn new(period: Duration) -> Self {
        Self { period, last: None }
    }

    /// Whether the line may be logged now. If so, the period starts again.
    pub(crate) fn allows(&mut self, now: Instant) -> bool {
        let is_early = self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < self.period);
        if !is_early {
            self.last = Some(now);
        }
        !is_early
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_period_is_allowed() {
        let second = Duration::from_secs(1);
        let mut limit = AtMostEvery::new(10 * second);
        let start = Instant::now();
        let allowed = (0..25).filter(|at| limit.allows(start + *at * second));
        assert_eq!(allowed.collect::<Vec<_>>(), [0, 10, 20]);
    }

    #[test]
    fn a_clock_that_goes_back_allows_nothing_more() {
        let period = Duration::from_secs(10);
        let mut limit = AtMostEvery::new(period);
        let start = Instant::now() + period;
        assert!(limit.allows(start));
        assert!(!limit.allows(start - period));
    }
}
