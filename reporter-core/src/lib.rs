//! The concurrency reporter as a pure state machine: no clock, no I/O, no randomness, no logging, no `std`.
//!
//! What must not live here: anything that waits, reads a clock, or knows who listens.
#![no_std]

extern crate alloc;

mod accounting;
mod event;
mod key;
mod outbox;
mod port;
mod reporter;
mod stat;
mod table;
mod timestamp;

pub use accounting::{Accounting, UnknownAccounting};
pub use event::{KeyLimitReached, Refused, ReqEvent, ReqKind, UnmatchedOut};
pub use key::{KeyError, KeyPart, KeyPartError, RevisionKey};
pub use outbox::{Frame, Outbox};
pub use port::{MetricsBackend, Revision, RevisionLister};
pub use reporter::Reporter;
pub use stat::{Batch, Cause, Gauge, Report, Stat, StatMessage};
pub use timestamp::Timestamp;
