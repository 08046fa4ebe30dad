//! Where `now` comes from.

use std::time::{Instant, SystemTime};

use reporter_core::Timestamp;

/// The driver's clock. Tests and simulations bring their own.
pub trait Clock: Send + Sync + 'static {
    /// Now, since an origin of the clock's choice. Called at the start and end of each request.
    fn now(&self) -> Timestamp;

    /// The time of day, for readers of reports. Called once per report.
    fn time_of_day(&self) -> SystemTime;
}

/// The machine's monotonic clock, counted from when this value was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// A clock whose origin is now.
    #[must_use]
    pub fn new() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let nanos = self.origin.elapsed().as_nanos();
        Timestamp::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::now()
    }
}
