//! `average`: the area under the in-flight curve, divided by the time it covers.

use crate::{Stat, Timestamp};

use super::{Ledger, PeriodEnd};

/// The ledger of `average` accounting.
///
/// The area is a whole number of request-nanoseconds. 128 bits hold 2^64 requests in flight for the
/// 584 years that a [`Timestamp`] lasts, so no period is too long and nothing is rounded before the
/// one division at the tick.
pub(crate) struct Average {
    area: u128,
    in_flight: u64,
    requests: u64,
    /// When the period began.
    period_start: Timestamp,
    /// The last change. Only ever moves forward.
    last: Timestamp,
}

impl Average {
    fn advance(&mut self, now: Timestamp) {
        self.area += u128::from(self.in_flight) * u128::from(now.nanos_since(self.last));
        self.last = self.last.max(now);
    }
}

impl Ledger for Average {
    fn open(now: Timestamp) -> Self {
        Self {
            area: 0,
            in_flight: 0,
            requests: 0,
            period_start: now,
            last: now,
        }
    }

    fn on_in(&mut self, now: Timestamp) {
        self.advance(now);
        self.in_flight += 1;
        self.requests += 1;
    }

    fn on_out(&mut self, now: Timestamp) {
        self.advance(now);
        self.in_flight -= 1;
    }

    fn in_flight(&self) -> u64 {
        self.in_flight
    }

    fn on_tick(&mut self, now: Timestamp, first_period: bool) -> PeriodEnd {
        self.advance(now);
        let covered = self.last.nanos_since(self.period_start);
        let average = match covered {
            0 => 0.0,
            _ => self.area as f64 / covered as f64,
        };
        // The first request's own message has reported 1 of both.
        let credit = u8::from(first_period);
        let stat = Stat {
            average_concurrent_requests: (average - f64::from(credit)).max(0.0),
            request_count: self.requests - u64::from(credit),
        };
        // An area of 0 is an average of exactly 0, whatever time it covers.
        let forget = self.area == 0 && self.in_flight == 0;
        self.area = 0;
        self.requests = 0;
        self.period_start = self.last;
        PeriodEnd {
            stat: Some(stat),
            gauge: average,
            forget,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;
    const YEAR: u64 = 365 * 24 * 60 * MINUTE;

    fn busy(in_flight: u64) -> Average {
        let mut ledger = Average::open(Timestamp::default());
        ledger.in_flight = in_flight;
        ledger
    }

    #[test]
    fn the_longest_period_with_the_most_requests_does_not_overflow() {
        for (in_flight, nanos) in [
            (1_000_000_000, YEAR),
            (u64::MAX, YEAR),
            (u64::MAX, u64::MAX),
        ] {
            let mut ledger = busy(in_flight);
            ledger.advance(Timestamp::from_nanos(nanos));
            assert_eq!(ledger.area, u128::from(in_flight) * u128::from(nanos));
            let end = ledger.on_tick(Timestamp::from_nanos(nanos), false);
            assert_eq!(end.gauge, in_flight as f64);
        }
    }

    #[test]
    fn a_request_of_one_nanosecond_is_seen_beside_a_year_of_others() {
        let mut ledger = busy(1_000_000_000);
        ledger.on_in(Timestamp::from_nanos(YEAR - 1));
        ledger.on_out(Timestamp::from_nanos(YEAR));
        assert_eq!(ledger.area, u128::from(YEAR) * 1_000_000_000 + 1);
    }

    #[test]
    fn each_minute_of_a_year_is_reported_as_the_first_one_was() {
        let mut ledger = busy(1_000_000_007);
        let mut minute = |start: u64| {
            ledger.on_in(Timestamp::from_nanos(start + 1));
            ledger.on_out(Timestamp::from_nanos(start + MINUTE / 3));
            let end = ledger.on_tick(Timestamp::from_nanos(start + MINUTE), false);
            (end.stat, end.gauge.to_bits())
        };
        let first = minute(0);
        for start in (MINUTE..YEAR).step_by(MINUTE as usize) {
            assert_eq!(minute(start), first, "at {start} ns");
        }
    }
}
