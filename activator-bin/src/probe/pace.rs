//! The pauses between probes of a backend, and their timeouts. Pure arithmetic.

use std::time::Duration;

use super::ProbeSettings;

/// The longest pause between probes, however long a backend has been failing, unless `frequency` is longer.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// When a backend becomes ready, this is noticed late by at most this fraction of the time that it was failing.
const SHARE_OF_FAILING: u32 = 20;

impl ProbeSettings {
    /// The pause after a failed probe of a backend that has been failing for this long.
    pub(super) fn pause(&self, failing_for: Duration) -> Duration {
        let longest = LONGEST_PAUSE.max(self.frequency);
        (failing_for / SHARE_OF_FAILING).clamp(self.frequency, longest)
    }

    /// The next longer timeout.
    pub(super) fn longer_timeout(&self, timeout: Duration) -> Duration {
        let longest = self.max_timeout.max(self.timeout);
        timeout.saturating_mul(2).min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_pause_grows_with_the_time_failing_up_to_a_second() {
        let settings = ProbeSettings::default();
        for (failing_for, expected) in [
            (0, 200),
            (4_000, 200),
            (10_000, 500),
            (20_000, 1_000),
            (86_400_000, 1_000),
        ] {
            assert_eq!(
                settings.pause(failing_for * MS),
                expected * MS,
                "{failing_for} ms"
            );
        }
    }

    #[test]
    fn a_low_frequency_is_kept() {
        let settings = ProbeSettings {
            frequency: 5_000 * MS,
            ..ProbeSettings::default()
        };
        assert_eq!(settings.pause(Duration::ZERO), 5_000 * MS);
        assert_eq!(settings.pause(1_000_000 * MS), 5_000 * MS);
    }

    #[test]
    fn the_timeout_doubles_up_to_its_bound() {
        let settings = ProbeSettings::default();
        let doubled = |&timeout: &Duration| Some(settings.longer_timeout(timeout));
        let timeouts = std::iter::successors(Some(settings.timeout), doubled).take(8);
        let expected = [300, 600, 1_200, 2_400, 4_800, 9_600, 10_000, 10_000];
        assert!(timeouts.eq(expected.map(|ms| ms * MS)));
    }

    #[test]
    fn a_maximum_below_the_first_timeout_has_no_effect() {
        let settings = ProbeSettings {
            max_timeout: 10 * MS,
            ..ProbeSettings::default()
        };
        assert_eq!(settings.longer_timeout(settings.timeout), 300 * MS);
    }
}
