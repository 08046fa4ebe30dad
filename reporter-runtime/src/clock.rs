//! Where `now` comes from.

use std::time::{Instant, SystemTime};

use reporter_core::Timestamp;

/// The driver's clock. Tests and simulations bring their own:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::time::{Duration, SystemTime};
///
/// use reporter_core::Timestamp;
/// use reporter_runtime::Clock;
///
/// /// Stands still, except when a test lets time pass.
/// #[derive(Clone, Default)]
/// struct Manual(Arc<AtomicU64>);
///
/// impl Manual {
///     fn pass(&self, time: Duration) {
///         self.0.fetch_add(time.as_nanos() as u64, Ordering::Relaxed);
///     }
/// }
///
/// impl Clock for Manual {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
///     }
///
///     fn time_of_day(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH + Duration::from_nanos(self.now().as_nanos())
///     }
/// }
///
/// let clock = Manual::default();
/// clock.clone().pass(Duration::from_millis(20));
/// assert_eq!(clock.now(), Timestamp::from_nanos(20_000_000));
/// ```
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
