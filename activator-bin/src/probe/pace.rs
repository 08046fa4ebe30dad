//! The pauses between probes of a backend, and their timeouts. Arithmetic, and two counters.
//!
//! A new backend is probed often in its first seconds, so that the requests that wait for it are not kept waiting. The
//! more there are, the longer all pauses, so that all probes together take a bounded share of the processor.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::ProbeSettings;

/// The longest pause between probes, however long a backend has been failing, unless `frequency` is longer.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// When a backend becomes ready, this is noticed late by at most this fraction of the time that it was failing.
const SHARE_OF_FAILING: u32 = 20;

/// For how long a backend is new: it is most likely to become ready then.
const NEW_FOR: Duration = Duration::from_secs(3);
/// The shortest pause between probes of a new backend.
const SHORTEST_PAUSE: Duration = Duration::from_millis(5);

/// The shortest average time between two repeated probes of new backends, and of others, over all revisions.
const BETWEEN_NEW: Duration = Duration::from_micros(500);
const BETWEEN_OTHERS: Duration = Duration::from_millis(1);

/// How many backends are being probed, over all revisions.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    new: AtomicUsize,
    others: AtomicUsize,
}

/// One backend's place in the crowd.
pub(super) struct Place<'a> {
    crowd: &'a Crowd,
    is_new: bool,
}

impl Crowd {
    /// A backend that is probed from now on. It is not `is_new` if it was ready before.
    pub(super) fn join(&self, is_new: bool) -> Place<'_> {
        let place = Place {
            crowd: self,
            is_new,
        };
        place.count().fetch_add(1, Ordering::Relaxed);
        place
    }
}

impl Place<'_> {
    fn count(&self) -> &AtomicUsize {
        match self.is_new {
            true => &self.crowd.new,
            false => &self.crowd.others,
        }
    }

    /// The pause after a failed probe of this backend, which has been failing for this long.
    pub(super) fn pause(&mut self, settings: &ProbeSettings, failing_for: Duration) -> Duration {
        if self.is_new && failing_for >= NEW_FOR {
            *self = self.crowd.join(false);
        }
        let count = u32::try_from(self.count().load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        if self.is_new {
            settings.pause_of_new(count)
        } else {
            settings.pause_of_others(failing_for, count)
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.count().fetch_sub(1, Ordering::Relaxed);
    }
}

impl ProbeSettings {
    /// The pause after a failed probe of a new backend, one of `count`.
    fn pause_of_new(&self, count: u32) -> Duration {
        let shortest = SHORTEST_PAUSE.min(self.frequency);
        shortest.max(BETWEEN_NEW.saturating_mul(count))
    }

    /// The pause after a failed probe of a backend that has been failing for this long, one of `count`.
    fn pause_of_others(&self, failing_for: Duration, count: u32) -> Duration {
        let longest = LONGEST_PAUSE.max(self.frequency);
        let own = (failing_for / SHARE_OF_FAILING).clamp(self.frequency, longest);
        own.max(BETWEEN_OTHERS.saturating_mul(count))
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
                settings.pause_of_others(failing_for * MS, 1),
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
        assert_eq!(settings.pause_of_others(Duration::ZERO, 1), 5_000 * MS);
        assert_eq!(settings.pause_of_others(1_000_000 * MS, 1), 5_000 * MS);
        assert_eq!(settings.pause_of_new(1), 5 * MS);
    }

    #[test]
    fn a_high_frequency_is_kept() {
        let settings = ProbeSettings {
            frequency: MS,
            ..ProbeSettings::default()
        };
        assert_eq!(settings.pause_of_new(1), MS);
        assert_eq!(settings.pause_of_others(Duration::ZERO, 1), MS);
    }

    #[test]
    fn the_more_are_probed_the_longer_the_pauses() {
        let settings = ProbeSettings::default();
        for (count, of_new, of_others) in [
            (1, 5, 200),
            (10, 5, 200),
            (100, 50, 200),
            (1_000, 500, 1_000),
            (10_000, 5_000, 10_000),
        ] {
            assert_eq!(settings.pause_of_new(count), of_new * MS, "{count}");
            let pause = settings.pause_of_others(Duration::ZERO, count);
            assert_eq!(pause, of_others * MS, "{count}");
        }
    }

    #[test]
    fn a_backend_is_new_for_seconds() {
        let (crowd, settings) = (Crowd::default(), ProbeSettings::default());
        let mut place = crowd.join(true);
        assert_eq!(place.pause(&settings, Duration::ZERO), 5 * MS);
        assert_eq!(place.pause(&settings, 2_999 * MS), 5 * MS);
        assert_eq!(place.pause(&settings, 3_000 * MS), 200 * MS);
        let mut others: Vec<_> = (0..99).map(|_| crowd.join(true)).collect();
        assert_eq!(others[0].pause(&settings, Duration::ZERO), 99 * MS / 2);
        drop(place);
        drop(others);
        for count in [&crowd.new, &crowd.others] {
            assert_eq!(count.load(Ordering::Relaxed), 0);
        }
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
