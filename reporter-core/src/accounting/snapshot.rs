//! `snapshot`: what is in flight at the tick, and what came in since the last one.

use crate::{Stat, Timestamp};

use super::{Ledger, PeriodEnd};

/// The ledger of `snapshot` accounting.
pub(crate) struct Snapshot {
    outstanding: u64,
    incoming: u64,
}

impl Ledger for Snapshot {
    fn open(_now: Timestamp) -> Self {
        Self {
            outstanding: 0,
            incoming: 0,
        }
    }

    fn on_in(&mut self, _now: Timestamp) {
        self.incoming += 1;
        self.outstanding += 1;
    }

    fn on_out(&mut self, _now: Timestamp) {
        self.outstanding -= 1;
    }

    fn in_flight(&self) -> u64 {
        self.outstanding
    }

    fn on_tick(&mut self, _now: Timestamp, _first_period: bool) -> PeriodEnd {
        let request_count = core::mem::take(&mut self.incoming);
        let idle = self.outstanding == 0;
        let concurrency = self.outstanding as f64;
        PeriodEnd {
            stat: (!idle).then_some(Stat {
                average_concurrent_requests: concurrency,
                request_count,
            }),
            gauge: concurrency,
            forget: idle,
        }
    }
}
