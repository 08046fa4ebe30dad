//! tokio around [`reporter_core`]: guards that count in line, the task with the ticks, and the sinks.
//!
//! ```
//! use std::time::Duration;
//!
//! use reporter_core::Accounting;
//! use reporter_runtime::ConcurrencyReporter;
//! use reporter_runtime::sink::json_lines::{FileWriter, JsonLines};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let lines = JsonLines::new("stdout", "activator-0", FileWriter::stdout()?);
//! let (reporter, task) = ConcurrencyReporter::builder(Accounting::Average)
//!     .interval(Duration::from_secs(1))
//!     .sink(Box::new(lines))
//!     .spawn();
//!
//! // A request for a revision that was not tracked is reported at once.
//! let hello = "default/hello".parse()?;
//! let request = reporter.track(&hello);
//! assert_eq!(reporter.in_flight(&hello), Some(1));
//!
//! // It is counted out when the guard is dropped: at the end of its body, or wherever it is cancelled.
//! drop(request);
//! assert_eq!(reporter.in_flight(&hello), Some(0));
//!
//! // The last report is made, and every sink has flushed.
//! let stopped = task.stop().await;
//! assert!(stopped.sinks.iter().all(|(_, end)| end.is_ok()));
//! # Ok(())
//! # }
//! ```
//!
//! What holds, whatever the sinks do:
//!
//! - A request waits for its shard's short lock and for nothing else.
//! - Each sink gets each key's messages in order. One that falls behind gets them merged per key
//!   ([`StatSink::run`]), with no count missing.
//! - A stop takes no longer than the flush timeout, and returns what each sink did not deliver.
//! - When the key limit is reached, requests for further keys are not counted
//!   ([`InFlight::is_counted`]); [`ConcurrencyReporter::untracked_requests`] is their number.
//!
//! What must not live here: rules of counting (they are the core's), metrics libraries, configuration.

#![deny(missing_docs)]

// Files that the models share with `tests/` call this crate by its name.
#[cfg(test)]
extern crate self as reporter_runtime;

mod clock;
mod dispatch;
mod events;
mod fan_out;
mod history;
mod in_flight;
mod key_limit;
#[cfg(test)]
mod models;
mod outgoing;
mod reporter;
mod shards;
pub mod sink;
mod sync;
mod task;

pub use clock::{Clock, SystemClock};
pub use dispatch::Dispatch;
pub use events::{EventSender, ReporterStopped};
pub use history::{History, HistoryOp, HistoryRecord};
pub use in_flight::InFlight;
pub use reporter::{Builder, ConcurrencyReporter};
pub use sink::{StatSink, Undelivered};
pub use task::{ReporterTask, Stopped};

// Its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
