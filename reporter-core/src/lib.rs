//! The concurrency reporter as a pure state machine: no clock, no I/O, no randomness, no logging, no `std`.
//!
//! A proxy that queues requests for services without instances reports their number to an autoscaler,
//! which starts and stops instances, and to metrics. This crate does the counting. Its driver brings
//! the clock, the threads and the network.
//!
//! # A first look
//!
//! The driver passes in the start and end of each request, and the end of each reporting period (a
//! *tick*). The reporter returns what is to be sent.
//!
//! ```
//! use reporter_core::{Accounting, Report, Reporter, ReqEvent, RevisionKey, Stat, Timestamp};
//!
//! let hello: RevisionKey = "default/hello".parse()?;
//! let at = |millis: u64| Timestamp::from_nanos(millis * 1_000_000);
//! let mut reporter = Reporter::new(Accounting::Snapshot);
//!
//! // A request for a revision that is not tracked is a first request. Its message is to be sent at
//! // once: it wakes a service that has no instances.
//! let first = reporter.on_event(&ReqEvent::req_in(hello.clone()), at(0))?;
//! let stat = first.expect("nothing was tracked").stat;
//! assert_eq!(stat, Stat { average_concurrent_requests: 1.0, request_count: 1 });
//!
//! // While the revision is tracked, further requests are reported at the tick.
//! assert_eq!(reporter.on_event(&ReqEvent::req_in(hello.clone()), at(200))?, None);
//!
//! let mut report = Report::default();
//! reporter.on_tick(at(1_000), &mut report);
//! let stat = report.messages[0].stat;
//! assert_eq!(stat, Stat { average_concurrent_requests: 2.0, request_count: 2 });
//! assert!(report.gauges().map(|gauge| gauge.concurrency).eq([2.0]));
//!
//! // With nothing in flight, a tick forgets the revision, and the next request is a first one again.
//! reporter.on_event(&ReqEvent::req_out(hello.clone()), at(1_100))?;
//! reporter.on_event(&ReqEvent::req_out(hello.clone()), at(1_200))?;
//! let mut report = Report::default();
//! reporter.on_tick(at(2_000), &mut report);
//! assert!(report.messages.is_empty());
//! assert!(report.gauges().map(|gauge| gauge.concurrency).eq([0.0]));
//! assert_eq!(report.forgotten, [hello.clone()]);
//! assert!(reporter.on_event(&ReqEvent::req_in(hello), at(2_300))?.is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Which accounting
//!
//! The example has two requests and reports three: in [`Accounting::Snapshot`] a first request counts
//! in its own message and in the next tick. A revision with nothing in flight at the tick is not
//! reported at all, however many requests it had. In [`Accounting::Average`] the concurrency is an average over time, and
//! every request counts exactly once:
//!
//! ```
//! # use reporter_core::{Accounting, Report, Reporter, ReqEvent, RevisionKey, Stat, Timestamp};
//! # let hello: RevisionKey = "default/hello".parse()?;
//! # let at = |millis: u64| Timestamp::from_nanos(millis * 1_000_000);
//! let mut reporter = Reporter::new(Accounting::Average);
//! assert!(reporter.on_event(&ReqEvent::req_in(hello.clone()), at(0))?.is_some());
//! assert!(reporter.on_event(&ReqEvent::req_in(hello), at(200))?.is_none());
//!
//! let mut report = Report::default();
//! reporter.on_tick(at(1_000), &mut report);
//! // 1.8 on average: one request for 1,000 ms and one for 800. The first request's message has reported
//! // 1 of the concurrency and 1 of the count, the tick reports the rest.
//! let stat = report.messages[0].stat;
//! assert_eq!(stat, Stat { average_concurrent_requests: 0.8, request_count: 1 });
//! assert!(report.gauges().map(|gauge| gauge.concurrency).eq([1.8]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Over the 64 histories of the conformance suite, with 1,665 requests, `snapshot` reports 1,927 and
//! `average` 1,665.
//!
//! | | `snapshot` (the default) | `average` |
//! |---|---|---|
//! | concurrency | at the moment of the tick | over the whole period |
//! | requests that start and end between two ticks | not in the concurrency; counted if another is in flight at the tick | in both, for as long as they last |
//! | sum of all counts | first requests twice, periods that end idle not at all | the number of requests |
//! | forgets a revision | at the first tick with nothing in flight | after a whole period without requests |
//! | choose it | to report what the reporter's original design reports | for Knative's autoscaler of today, and wherever counts matter (scaling by requests per second) |
//!
//! # Driving it
//!
//! - **The driver owns the clock.** `now` comes with each call; its origin is the driver's choice. A
//!   clock that goes backwards counts as no time.
//! - **Each request is passed in twice**, as a [`ReqIn`](ReqKind::ReqIn) and a [`ReqOut`](ReqKind::ReqOut). A guard that
//!   counts out when it is dropped cannot forget it, however the request ends. An unmatched `ReqOut` is
//!   [refused](Refused) and counted; no other key is affected.
//! - **A shard is a whole [`Reporter`].** Revisions are independent, so keys can be divided among several
//!   reporters, each behind its own lock, that append to one [`Report`].
//! - **Keep the order of one revision's messages.** Otherwise the tick that forgets a revision could
//!   cancel the first request that came after it.
//! - **Limit the keys** with [`set_key_limit`](Reporter::set_key_limit) where clients choose them.
//!
//! An [`Outbox`] is for a receiver that may be unreachable: it keeps what is not confirmed and merges
//! what waits.
//!
//! `examples/threads.rs` drives the core with nothing but the standard library: threads that count,
//! one that ticks, and one that prints. `examples/smol.rs` does it with tasks and timers of the async
//! runtime smol, all on one thread and without a lock.
//!
//! What must not live here: anything that waits, reads a clock, or knows the receivers.
#![no_std]
#![deny(missing_docs)]

extern crate alloc;

mod accounting;
mod event;
mod key;
mod outbox;
mod port;
mod report;
mod reporter;
mod stat;
mod table;
mod timestamp;

pub use accounting::{Accounting, UnknownAccounting};
pub use event::{KeyLimitReached, Refused, ReqEvent, ReqKind, Ticket, UnmatchedOut};
pub use key::{HashedKey, KeyError, KeyPart, KeyPartError, RevisionKey};
pub use outbox::{Frame, Outbox};
pub use port::{MetricsBackend, Revision, RevisionLister};
pub use report::{Gauge, Report};
pub use reporter::Reporter;
pub use stat::{Batch, Cause, Stat, StatMessage};
pub use timestamp::Timestamp;

// Its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
