//! The wait before the next attempt to connect. The caller draws random numbers.

use std::time::Duration;

use super::AutoscalerConfig;

#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    factor: f64,
    jitter: f64,
    max: Duration,
    /// `None` before the first wait.
    last: Option<Duration>,
}

impl Backoff {
    pub(super) fn new(config: &AutoscalerConfig) -> Self {
        Self {
            first: config.backoff,
            factor: config.backoff_factor,
            jitter: config.backoff_jitter,
            max: config.backoff_max,
            last: None,
        }
    }

    /// The next wait; `chance` is a random number from 0 to 1.
    pub(super) fn next(&mut self, chance: f64) -> Duration {
        let wait = match self.last {
            None => self.first,
            Some(last) => last.mul_f64(self.factor).min(self.max),
        };
        self.last = Some(wait);
        wait.mul_f64(1.0 + self.jitter * chance)
    }

    /// Whether there was no wait since the last reset.
    pub(super) fn is_fresh(&self) -> bool {
        self.last.is_none()
    }

    /// Starts over after a link that lasted longer than the longest wait. A link that breaks at once
    /// must not reset it.
    pub(super) fn on_link_lasted(&mut self, lasted: Duration) {
        if lasted > self.max {
            self.last = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: &mut Backoff, count: usize, chance: f64) -> Vec<u128> {
        let waits = (0..count).map(|_| backoff.next(chance).as_millis());
        waits.collect()
    }

    #[test]
    fn waits_grow_to_the_longest_and_start_over_after_a_link_that_lasted() {
        let mut backoff = Backoff::new(&AutoscalerConfig::new("ws://a"));
        let growing = [100, 130, 169, 219, 285, 371, 482, 500, 500];
        assert!(backoff.is_fresh());
        assert_eq!(waits(&mut backoff, growing.len(), 0.0), growing);
        backoff.on_link_lasted(Duration::from_millis(500));
        assert!(!backoff.is_fresh());
        backoff.on_link_lasted(Duration::from_millis(501));
        assert!(backoff.is_fresh());
        assert_eq!(waits(&mut backoff, 2, 0.0), [100, 130]);
    }

    #[test]
    fn jitter_lengthens_a_wait_and_does_not_accumulate() {
        let mut backoff = Backoff::new(&AutoscalerConfig::new("ws://a"));
        assert_eq!(waits(&mut backoff, 3, 1.0), [150, 195, 253]);
    }
}
