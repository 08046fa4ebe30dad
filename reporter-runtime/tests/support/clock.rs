//! A clock that follows tokio's time, and can jump.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use reporter_core::Timestamp;
use reporter_runtime::Clock;
use tokio::time::Instant;

/// Counts from when it was made; the time of day then was 2026-01-01T00:00:00Z.
#[derive(Clone)]
pub(crate) struct TestClock {
    origin: Instant,
    /// What it was told to jump, in nanoseconds.
    jumped: Arc<AtomicI64>,
}

const NEW_YEAR_2026: Duration = Duration::from_secs(1_767_225_600);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self {
            origin: Instant::now(),
            jumped: Arc::default(),
        }
    }

    /// Jumps that many nanoseconds; the clock never shows less than its origin.
    pub(crate) fn jump(&self, nanos: i64) {
        self.jumped.fetch_add(nanos, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let elapsed = u64::try_from(self.origin.elapsed().as_nanos()).unwrap();
        Timestamp::from_nanos(elapsed.saturating_add_signed(self.jumped.load(Ordering::Relaxed)))
    }

    fn time_of_day(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + NEW_YEAR_2026 + Duration::from_nanos(self.now().as_nanos())
    }
}
