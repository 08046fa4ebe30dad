//! How many lines are logged, and how many were left out. Pure.

use std::mem;
use std::time::Duration;

use tokio::time::Instant;

/// The most lines of one instance in a second.
const MAX: u32 = 1000;

/// The period that lines are counted over.
const PERIOD: Duration = Duration::from_secs(1);

/// The shortest time between two lines about what was left out.
const PAUSE: Duration = Duration::from_secs(10);

/// Allows a number of lines in each second.
#[derive(Debug)]
pub(super) struct Rate {
    since: Instant,
    count: u32,
    left_out: u64,
    /// When what was left out was last said.
    said: Option<Instant>,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            since: now,
            count: 0,
            left_out: 0,
            said: None,
        }
    }

    /// Whether a line may be logged now. If not, it is counted.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= PERIOD {
            (self.since, self.count) = (now, 0);
        }
        if self.count < MAX {
            self.count += 1;
            return true;
        }
        self.left_out += 1;
        false
    }

    /// How many lines were left out, if it is time to say that; else 0.
    pub(super) fn left_out(&mut self, now: Instant) -> u64 {
        if self.next().is_none_or(|next| now < next) {
            return 0;
        }
        self.said = Some(now);
        mem::take(&mut self.left_out)
    }

    /// How many lines were left out and not yet spoken of.
    pub(super) fn finish(&mut self) -> u64 {
        mem::take(&mut self.left_out)
    }

    /// When it is time to say what was left out; `None` if there is nothing.
    pub(super) fn next(&self) -> Option<Instant> {
        let first = self.since + PERIOD;
        (self.left_out > 0).then(|| self.said.map_or(first, |said| said + PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        let allowed = (0..10_000).filter(|_| rate.allows(start)).count();
        assert_eq!(allowed, MAX as usize);
        assert_eq!(rate.left_out(start), 0);
        let second = start + PERIOD;
        assert_eq!(rate.next(), Some(second));
        assert_eq!(rate.left_out(second), 9_000);
        assert_eq!(rate.next(), None);
        // The next second has its own lines, but what is left out is said later.
        let allowed = (0..1_001).filter(|_| rate.allows(second)).count();
        assert_eq!(allowed, MAX as usize);
        assert_eq!(rate.left_out(second + PERIOD), 0);
        assert_eq!(rate.left_out(second + PAUSE), 1);
    }

    #[test]
    fn at_the_end_the_rest_is_known() {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        while rate.allows(start) {}
        assert_eq!(rate.finish(), 1);
        assert_eq!(rate.finish(), 0);
    }
}
