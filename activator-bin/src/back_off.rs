//! Pauses between attempts to reach a peer. Pure.

use std::time::Duration;

/// Pauses that grow with each failure in a row.
#[derive(Debug)]
pub(crate) struct BackOff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl BackOff {
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// Something has failed. Returns the pause before the next attempt, and at least `asked`, if the peer asked for a pause. `random` is between 0 and 1: activators that failed together shall not return
    /// together.
    pub(crate) fn on_failure(&mut self, asked: Option<Duration>, random: f64) -> Duration {
        let doubled = 2u32.checked_pow(self.failures).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let asked = asked.unwrap_or_default().min(self.longest);
        whole
            .max(asked)
            .mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
            .max(asked)
    }

    /// It works: the next pause is short again.
    pub(crate) fn on_success(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn pauses_grow_to_a_limit_and_restart_after_a_success() {
        let mut back_off = BackOff::new(200 * MS, 10_000 * MS);
        for expected in [200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            assert_eq!(back_off.on_failure(None, 1.0), expected * MS);
        }
        for _ in 0..100 {
            assert_eq!(back_off.on_failure(None, 0.0), 5_000 * MS);
        }
        back_off.on_success();
        assert_eq!(back_off.on_failure(None, 0.5), 150 * MS);
    }

    #[test]
    fn a_peer_may_ask_for_a_longer_pause_within_the_limit() {
        let mut back_off = BackOff::new(200 * MS, 10_000 * MS);
        assert_eq!(back_off.on_failure(Some(3_000 * MS), 0.0), 3_000 * MS);
        assert_eq!(back_off.on_failure(Some(60_000 * MS), 1.0), 10_000 * MS);
        assert_eq!(back_off.on_failure(Some(MS), 1.0), 800 * MS);
    }
}
