//! How requests become stats: what both accountings share.

use core::fmt;
use core::str::FromStr;

use crate::{Stat, Timestamp};

pub(crate) mod average;
pub(crate) mod snapshot;

/// How the requests of a period become a [`Stat`].
///
/// ```
/// use reporter_core::Accounting;
///
/// assert_eq!("average".parse(), Ok(Accounting::Average));
/// assert_eq!(Accounting::default().to_string(), "snapshot");
/// let error = "mean".parse::<Accounting>().unwrap_err();
/// assert_eq!(error.to_string(), "accounting is either \"snapshot\" or \"average\"");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accounting {
    /// Requests in flight at the tick; the first request counts in its own message and in the next.
    #[default]
    Snapshot,
    /// Requests in flight on average over time; every request counts exactly once.
    Average,
}

impl Accounting {
    /// Its name in configurations: `snapshot` or `average`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Average => "average",
        }
    }
}

impl fmt::Display for Accounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Accounting {
    type Err = UnknownAccounting;

    fn from_str(text: &str) -> Result<Self, UnknownAccounting> {
        [Self::Snapshot, Self::Average]
            .into_iter()
            .find(|accounting| accounting.as_str() == text)
            .ok_or(UnknownAccounting)
    }
}

/// The name is not that of an [`Accounting`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownAccounting;

impl fmt::Display for UnknownAccounting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("accounting is either \"snapshot\" or \"average\"")
    }
}

impl core::error::Error for UnknownAccounting {}

/// The counts of one tracked revision, from its first request on.
pub(crate) trait Ledger {
    /// For a key that was not tracked, with nothing in flight yet.
    fn open(now: Timestamp) -> Self;

    /// A request came.
    fn on_in(&mut self, now: Timestamp);

    /// A request ended. The caller has checked that one is in flight.
    fn on_out(&mut self, now: Timestamp);

    /// Requests in flight.
    fn in_flight(&self) -> u64;

    /// Ends the period. The first is the one in which the entry was added.
    fn on_tick(&mut self, now: Timestamp, first_period: bool) -> PeriodEnd;
}

/// The result of a period.
pub(crate) struct PeriodEnd {
    /// For the autoscaler; `None` when there is nothing to report.
    pub(crate) stat: Option<Stat>,
    /// For the metrics backend.
    pub(crate) gauge: f64,
    /// Whether the key is no longer tracked after this tick.
    pub(crate) forget: bool,
}
