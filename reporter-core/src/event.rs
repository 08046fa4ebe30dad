//! The events that a driver passes in, and why the reporter refuses one.

use core::fmt;

use crate::RevisionKey;
use crate::key::Identity;

/// The start or end of a request. Its time is the `now` that is passed with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReqEvent {
    /// The revision that the request is for.
    pub key: RevisionKey,
    /// Whether the request started or ended.
    pub kind: ReqKind,
}

/// Whether a request started or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReqKind {
    /// The request arrived.
    ReqIn,
    /// The request ended: its response body is complete or its client disconnected.
    ReqOut,
}

impl ReqEvent {
    /// The arrival of a request for `key`.
    #[must_use]
    pub fn req_in(key: RevisionKey) -> Self {
        Self {
            key,
            kind: ReqKind::ReqIn,
        }
    }

    /// The end of a request for `key`.
    #[must_use]
    pub fn req_out(key: RevisionKey) -> Self {
        Self {
            key,
            kind: ReqKind::ReqOut,
        }
    }
}

/// Counts a request out without another look-up of its key.
///
/// Valid for the reporter that returned it.
#[must_use = "the request is in flight until its ticket is handed in"]
#[derive(Debug)]
pub struct Ticket {
    pub(crate) hash: u64,
    pub(crate) identity: Identity,
}

/// Why an event was refused. State is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A [`ReqKind::ReqOut`] without its `ReqIn`.
    UnmatchedOut(UnmatchedOut),
    /// A [`ReqKind::ReqIn`] for a new key beyond the limit.
    KeyLimitReached(KeyLimitReached),
}

/// A `ReqOut` for a key that has nothing in flight.
///
/// The usual cause is a driver that reports the end of one request twice.
///
/// ```
/// use reporter_core::{Accounting, Refused, Reporter, ReqEvent, RevisionKey, Timestamp, UnmatchedOut};
///
/// let hello: RevisionKey = "default/hello".parse()?;
/// let now = Timestamp::default();
/// let mut reporter = Reporter::new(Accounting::Average);
/// reporter.on_event(&ReqEvent::req_in(hello.clone()), now)?;
/// reporter.on_event(&ReqEvent::req_out(hello.clone()), now)?;
///
/// let twice = reporter.on_event(&ReqEvent::req_out(hello), now);
/// assert_eq!(twice, Err(Refused::UnmatchedOut(UnmatchedOut)));
/// assert_eq!(reporter.unmatched_outs(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnmatchedOut;

/// A `ReqIn` for a new key while the key limit is reached.
///
/// The request may proceed; its `ReqOut` must then not be passed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyLimitReached {
    /// The number of keys that may be tracked.
    pub limit: usize,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnmatchedOut(error) => error.fmt(f),
            Self::KeyLimitReached(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for UnmatchedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request went out for a key with nothing in flight; was it reported twice?")
    }
}

impl fmt::Display for KeyLimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the limit of {} tracked keys is reached", self.limit)
    }
}

impl core::error::Error for Refused {}
impl core::error::Error for UnmatchedOut {}
impl core::error::Error for KeyLimitReached {}
