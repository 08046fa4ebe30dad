//! A moment on the driver's clock. No clock is read here.

/// Nanoseconds since an origin that the driver picks (process start, say).
///
/// Only differences matter, so the origin has no meaning of its own; `u64` nanoseconds last 584 years.
///
/// ```
/// use std::time::Instant;
///
/// use reporter_core::Timestamp;
///
/// let origin = Instant::now();
/// let now = || Timestamp::from_nanos(origin.elapsed().as_nanos() as u64);
///
/// let earlier = now();
/// let later = now();
/// assert_eq!(later.nanos_since(earlier), later.as_nanos() - earlier.as_nanos());
/// assert_eq!(Timestamp::default().nanos_since(Timestamp::from_nanos(1)), 0, "it went backwards");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Nanoseconds from `earlier` to here; 0 when the clock went backwards in between.
    #[must_use]
    pub const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_went_backwards_counts_as_no_time() {
        for (earlier, later, passed) in [(2, 5, 3), (5, 5, 0), (5, 2, 0), (0, u64::MAX, u64::MAX)] {
            let [from, to] = [earlier, later].map(Timestamp::from_nanos);
            assert_eq!(to.nanos_since(from), passed, "{earlier} to {later}");
            assert_eq!(to.as_nanos(), later);
        }
    }
}
