//! `average`: the area under the in-flight curve, divided by the time it covers.

use crate::{Stat, Timestamp};

use super::{Closed, Ledger};

/// One key's books in `average` accounting.
///
/// The area is a whole number of request-nanoseconds. 128 bits hold 2^64 requests in flight for the
/// 584 years that a [`Timestamp`] lasts, so no window is too long and nothing is rounded before the
/// one division at the tick.
// The area alone would pad every entry to 16 bytes; on a 64-bit machine its halves are read one by one anyway.
#[repr(Rust, packed(8))]
pub(crate) struct Average {
    area: u128,
    in_flight: u64,
    requests: u64,
    /// Where the window began.
    window_start: Timestamp,
    /// The last change. Only ever moves forward.
    last: Timestamp,
    /// 1 while the first request's own message has not been taken off a report.
    credit: u8,
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
            window_start: now,
            last: now,
            credit: 1,
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

    fn on_tick(&mut self, now: Timestamp) -> Closed {
        self.advance(now);
        let covered = self.last.nanos_since(self.window_start);
        let average = match covered {
            0 => 0.0,
            _ => self.area as f64 / covered as f64,
        };
        let credit = core::mem::take(&mut self.credit);
        let stat = Stat {
            average_concurrent_requests: (average - f64::from(credit)).max(0.0),
            request_count: self.requests - u64::from(credit),
        };
        // An area of 0 is an average of exactly 0, whatever time it covers.
        let forget = self.area == 0 && self.in_flight == 0;
        self.area = 0;
        self.requests = 0;
        self.window_start = self.last;
        Closed {
            stat: Some(stat),
            gauge: average,
            forget,
        }
    }
}
