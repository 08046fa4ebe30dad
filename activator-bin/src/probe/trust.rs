//! How far to trust a backend that passes its probes and then fails requests: each time it is probed later, and
//! observed for longer. Pure arithmetic.

use std::time::Duration;

use super::ProbeSettings;
use super::pace::LONGEST_PAUSE;
use crate::throttle::Complaint;

/// How long a connection must stay open to show that the backend itself accepts it, and not a proxy on the way that
/// finds nothing behind it and closes.
const MUST_STAY_OPEN: Duration = Duration::from_millis(20);
const LONGEST_OPEN: Duration = Duration::from_millis(400);

/// The longest that a backend is left alone while others are ready.
const LONGEST_ASIDE: Duration = Duration::from_secs(30);

/// A backend that stays ready for this long, and for this many times its last pause, is fully trusted again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10);
const FORGIVEN_PAUSES: u32 = 10;

/// What is remembered about one backend.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trust {
    /// How often it was set aside soon after it had become ready.
    relapses: u32,
    /// How often it closed a connection instead of responding.
    closed: u32,
    pause: Duration,
}

impl Trust {
    /// It is set aside after having been ready for `ready_for`. Returns how long to leave it alone.
    pub(super) fn on_set_aside(
        &mut self,
        complaint: Complaint,
        ready_for: Duration,
        settings: &ProbeSettings,
    ) -> Duration {
        if ready_for >= FORGIVEN_AFTER.max(self.pause.saturating_mul(FORGIVEN_PAUSES)) {
            *self = Self::default();
        }
        self.closed = self
            .closed
            .saturating_add(u32::from(complaint == Complaint::Closed));
        let doubled = 2_u32.saturating_pow(self.relapses);
        self.pause = settings
            .frequency
            .saturating_mul(doubled)
            .min(LONGEST_ASIDE.max(settings.frequency));
        let pause = match self.relapses {
            // No pause at all for a backend that has been fine for a while.
            0 => self.pause.saturating_sub(ready_for),
            _ => self.pause,
        };
        self.relapses = self.relapses.saturating_add(1);
        pause
    }

    /// How long a connection to it must stay open.
    pub(super) fn open_for(&self) -> Duration {
        let grown = 4_u32.saturating_pow(self.closed);
        MUST_STAY_OPEN.saturating_mul(grown).min(LONGEST_OPEN)
    }
}

impl ProbeSettings {
    /// The longest that a backend is left alone if no other is ready, since requests are waiting for it.
    pub(super) fn longest_pause_of_the_last(&self) -> Duration {
        LONGEST_PAUSE.max(self.frequency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn pauses(complaint: Complaint, ready_for: Duration, count: usize) -> Vec<u128> {
        let (mut trust, settings) = (Trust::default(), ProbeSettings::default());
        let mut pause = || {
            trust
                .on_set_aside(complaint, ready_for, &settings)
                .as_millis()
        };
        (0..count).map(|_| pause()).collect()
    }

    #[test]
    fn the_pause_doubles_with_each_relapse() {
        let expected = [
            200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000,
        ];
        assert_eq!(pauses(Complaint::Closed, Duration::ZERO, 10), expected);
        let expected = [100, 400, 800];
        assert_eq!(pauses(Complaint::Unreachable, 100 * MS, 3), expected);
    }

    #[test]
    fn a_backend_that_was_fine_for_a_while_is_probed_at_once() {
        assert_eq!(pauses(Complaint::Closed, 5_000 * MS, 2), [0, 400]);
        assert_eq!(pauses(Complaint::Closed, 10_000 * MS, 3), [0, 0, 0]);
    }

    #[test]
    fn a_long_pause_is_forgiven_late() {
        let (mut trust, settings) = (Trust::default(), ProbeSettings::default());
        let mut pause = |ready_for| trust.on_set_aside(Complaint::Closed, ready_for, &settings);
        while pause(Duration::ZERO) < LONGEST_ASIDE {}
        assert_eq!(pause(299_999 * MS), LONGEST_ASIDE);
        assert_eq!(pause(300_000 * MS), Duration::ZERO);
    }

    #[test]
    fn tcp_probes_take_longer_after_each_closed_connection() {
        let (mut trust, settings) = (Trust::default(), ProbeSettings::default());
        let mut open_for = |complaint| {
            trust.on_set_aside(complaint, Duration::ZERO, &settings);
            trust.open_for().as_millis()
        };
        assert_eq!(open_for(Complaint::Unreachable), 20);
        assert_eq!(open_for(Complaint::Closed), 80);
        assert_eq!(
            [(); 3].map(|()| open_for(Complaint::Closed)),
            [320, 400, 400]
        );
        assert_eq!(open_for(Complaint::Vanished), 400);
    }

    #[test]
    fn endless_failures_overflow_nothing() {
        let settings = ProbeSettings {
            frequency: Duration::MAX,
            ..ProbeSettings::default()
        };
        let mut trust = Trust::default();
        for _ in 0..1_000 {
            trust.on_set_aside(Complaint::Closed, Duration::ZERO, &settings);
        }
        assert_eq!(trust.open_for(), LONGEST_OPEN);
    }
}
