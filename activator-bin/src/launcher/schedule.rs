//! Which part of a revision's schedule applies, and what time it is on this machine's wall clock.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::revision::launch::ScheduleEntry;

/// A time of the week by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// The day, from 0 for Monday.
    pub weekday: usize,
    /// Minutes after midnight.
    pub minute: u16,
    /// Whether the time zone was found: otherwise this is UTC.
    pub zone_found: bool,
}

/// The largest `min_scale` of the entries that apply on this day, from 0 for Monday, at this minute of it; `None` when
/// no entry does.
///
/// Entries go by the wall clock: where it jumps forward they skip what it skips, where it is put back they apply twice.
#[must_use]
pub fn min_scale_at(entries: &[ScheduleEntry], weekday: usize, minute: u16) -> Option<u32> {
    let entries = entries.iter();
    let applying = entries.filter(|entry| applies(entry, weekday, minute));
    applying.map(|entry| entry.min_scale).max()
}

fn applies(entry: &ScheduleEntry, weekday: usize, minute: u16) -> bool {
    let begins = |day: usize| entry.days[day % 7];
    let has_begun = begins(weekday) && minute >= entry.from;
    let has_not_ended = minute < entry.to;
    if entry.to > entry.from {
        return has_begun && has_not_ended;
    }
    let yesterday = weekday + 6;
    has_begun || begins(yesterday) && has_not_ended
}

/// The time on this machine: by the variable `TZ`, else by `/etc/localtime`. Neither needs more than a time zone
/// database in one of the usual places; without that a rule like `CET-1CEST,M3.5.0,M10.5.0/3` in `TZ` is understood.
///
/// Reads small files every five minutes, and so sees a new time zone after that.
#[must_use]
pub fn local_time() -> LocalTime {
    at(Timestamp::now(), TimeZone::system())
}

fn at(time: Timestamp, zone: TimeZone) -> LocalTime {
    let zone_found = !zone.is_unknown();
    let local = zone.to_datetime(time);
    let minutes = u16::from(local.hour().unsigned_abs()) * 60;
    LocalTime {
        weekday: usize::from(local.weekday().to_monday_zero_offset().unsigned_abs()),
        minute: minutes + u16::from(local.minute().unsigned_abs()),
        zone_found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MON: usize = 0;
    const TUE: usize = 1;
    const FRI: usize = 4;
    const SAT: usize = 5;
    const SUN: usize = 6;

    /// On these days, from and to as hours and minutes, like 830, and so many instances.
    fn entry(days: &[usize], from: u16, to: u16, min_scale: u32) -> ScheduleEntry {
        let mut entry = ScheduleEntry {
            days: [false; 7],
            from: minutes(from),
            to: minutes(to),
            min_scale,
        };
        days.iter().for_each(|&day| entry.days[day] = true);
        entry
    }

    fn minutes(clock: u16) -> u16 {
        clock / 100 * 60 + clock % 100
    }

    fn check(entries: &[ScheduleEntry], expected: &[(usize, u16, Option<u32>)]) {
        for &(weekday, clock, expected) in expected {
            let found = min_scale_at(entries, weekday, minutes(clock));
            assert_eq!(found, expected, "day {weekday}, {clock:04}");
        }
    }

    #[test]
    fn an_entry_applies_from_its_begin_until_before_its_end() {
        let expected = [
            (MON, 759, None),
            (MON, 800, Some(2)),
            (MON, 1829, Some(2)),
            (MON, 1830, None),
            (TUE, 900, None),
            (FRI, 900, Some(2)),
            (SUN, 900, None),
        ];
        check(&[entry(&[MON, FRI], 800, 1830, 2)], &expected);
        check(&[], &[(MON, 0, None)]);
        check(&[entry(&[], 0, 2400, 1)], &[(MON, 0, None)]);
    }

    #[test]
    fn an_entry_may_go_over_midnight() {
        let expected = [
            (MON, 559, None),
            (MON, 2159, None),
            (MON, 2200, Some(1)),
            (MON, 2359, Some(1)),
            (TUE, 0, Some(1)),
            (TUE, 559, Some(1)),
            (TUE, 600, None),
            (TUE, 2200, None),
        ];
        check(&[entry(&[MON], 2200, 600, 1)], &expected);
    }

    #[test]
    fn an_entry_may_go_over_the_end_of_the_week() {
        let expected = [
            (SUN, 2359, Some(1)),
            (MON, 0, Some(1)),
            (MON, 759, Some(1)),
            (MON, 800, None),
            (SUN, 100, None),
        ];
        check(&[entry(&[SUN], 2200, 800, 1)], &expected);
    }

    #[test]
    fn midnight_is_a_begin_and_an_end() {
        let whole_day = [
            (FRI, 2359, None),
            (SAT, 0, Some(1)),
            (SAT, 2359, Some(1)),
            (SUN, 0, None),
        ];
        check(&[entry(&[SAT], 0, 2400, 1)], &whole_day);
        check(&[entry(&[SAT], 0, 0, 1)], &whole_day);
        let until_midnight = [(SAT, 2359, Some(1)), (SUN, 0, None)];
        check(&[entry(&[SAT], 2000, 2400, 1)], &until_midnight);
        check(&[entry(&[SAT], 2000, 0, 1)], &until_midnight);
        let around_the_clock = [
            (SAT, 759, None),
            (SAT, 800, Some(1)),
            (SUN, 759, Some(1)),
            (SUN, 800, None),
        ];
        check(&[entry(&[SAT], 800, 800, 1)], &around_the_clock);
    }

    #[test]
    fn of_entries_that_meet_the_largest_holds() {
        let entries = [
            entry(&[MON, TUE], 800, 1800, 1),
            entry(&[MON], 1200, 1300, 4),
            entry(&[SUN], 2000, 900, 2),
            entry(&[TUE], 1200, 1300, 0),
        ];
        let expected = [
            (MON, 759, Some(2)),
            (MON, 800, Some(2)),
            (MON, 900, Some(1)),
            (MON, 1200, Some(4)),
            (MON, 1300, Some(1)),
            (TUE, 1200, Some(1)),
            (TUE, 1800, None),
        ];
        check(&entries, &expected);
    }

    /// Each minute of the week, by going through the entry's minutes one by one.
    #[test]
    fn every_minute_of_the_week_is_that_of_a_walk_through_it() {
        const DAY: usize = 24 * 60;
        for (days, from, to) in [
            (&[MON][..], 0, 1),
            (&[SUN], 2359, 1),
            (&[MON, SUN], 2300, 2300),
            (&[TUE, FRI, SAT], 600, 559),
            (&[SAT, SUN], 1, 2400),
        ] {
            let entry = entry(days, from, to, 3);
            let mut applying = vec![false; 7 * DAY];
            for day in days {
                let mut minute = usize::from(entry.from);
                loop {
                    applying[(day * DAY + minute) % (7 * DAY)] = true;
                    minute += 1;
                    if minute % DAY == usize::from(entry.to) % DAY {
                        break;
                    }
                }
            }
            for (at, &applies) in applying.iter().enumerate() {
                let found = min_scale_at(std::slice::from_ref(&entry), at / DAY, (at % DAY) as u16);
                assert_eq!(found.is_some(), applies, "{entry:?} at minute {at}");
            }
        }
    }

    #[test]
    fn the_local_time_follows_the_zone_and_its_summer_time() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (time, weekday, clock) in [
            ("2026-01-04T22:59:59Z", SUN, 2359),
            ("2026-01-04T23:00:00Z", MON, 0),
            ("2026-07-05T21:59:00Z", SUN, 2359),
            ("2026-07-05T22:00:00Z", MON, 0),
            // The hour from two is skipped, or comes twice.
            ("2026-03-29T00:59:00Z", SUN, 159),
            ("2026-03-29T01:00:00Z", SUN, 300),
            ("2026-10-25T00:30:00Z", SUN, 230),
            ("2026-10-25T01:30:00Z", SUN, 230),
        ] {
            let expected = LocalTime {
                weekday,
                minute: minutes(clock),
                zone_found: true,
            };
            assert_eq!(
                at(time.parse().unwrap(), berlin.clone()),
                expected,
                "{time}"
            );
        }
    }

    #[test]
    fn without_a_time_zone_it_is_utc() {
        let expected = LocalTime {
            weekday: FRI,
            minute: minutes(1234),
            zone_found: false,
        };
        let time = "2026-01-02T12:34:56Z".parse().unwrap();
        assert_eq!(at(time, TimeZone::unknown()), expected);
        let utc = LocalTime {
            zone_found: true,
            ..expected
        };
        assert_eq!(at(time, TimeZone::UTC), utc);
    }

    #[test]
    fn the_local_time_is_a_time_of_the_week() {
        let LocalTime {
            weekday, minute, ..
        } = local_time();
        assert!(weekday < 7 && minute < 24 * 60);
    }
}
