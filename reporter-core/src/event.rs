//! What a driver tells the reporter, and how the reporter refuses it.

use core::fmt;

use crate::RevisionKey;
use crate::key::Identity;

/// One request seen. When it was seen is the `now` that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReqEvent {
    /// The revision that the request is for.
    pub key: RevisionKey,
    /// Whether the request came or went.
    pub kind: ReqKind,
}

/// Whether a request came or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReqKind {
    /// The request arrived.
    ReqIn,
    /// The request is over: its response body has ended or its client has gone.
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

/// What a request that came gets, to go out with: with it the reporter need not look for the key again.
///
/// Good for the reporter that gave it.
#[must_use = "the request is in flight until its ticket is handed in"]
#[derive(Debug)]
pub struct Ticket {
    pub(crate) hash: u64,
    pub(crate) identity: Identity,
}

/// An event that changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A [`ReqKind::ReqOut`] without its `ReqIn`.
    UnmatchedOut(UnmatchedOut),
    /// A [`ReqKind::ReqIn`] that would track one key more than the limit.
    KeyLimitReached(KeyLimitReached),
}

/// A `ReqOut` for a key that has nothing in flight.
///
/// The usual cause is a driver that reports the end of one request twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnmatchedOut;

/// A `ReqIn` for a new key while as many keys are tracked as may be.
///
/// The request may go on; its `ReqOut` must then not be reported.
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
        write!(f, "{} keys are tracked, no further one may be", self.limit)
    }
}

impl core::error::Error for Refused {}
impl core::error::Error for UnmatchedOut {}
impl core::error::Error for KeyLimitReached {}
