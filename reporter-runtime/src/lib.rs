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
//! // A request comes: its revision was not tracked, so a line says so at once.
//! let hello = "default/hello".parse()?;
//! let request = reporter.track(&hello);
//! assert_eq!(reporter.in_flight(&hello), Some(1));
//!
//! // It is out when the guard is dropped: at the end of its body, or wherever it was cancelled.
//! drop(request);
//! assert_eq!(reporter.in_flight(&hello), Some(0));
//!
//! // The last report is cut, and every sink has flushed.
//! let stopped = task.stop().await;
//! assert!(stopped.sinks.iter().all(|(_, end)| end.is_ok()));
//! # Ok(())
//! # }
//! ```
//!
//! What holds, whatever the sinks do:
//!
//! - A request waits for its shard's short lock and for nothing else.
//! - Each sink hears each key's story in the order in which it happened. One that falls behind hears
//!   it merged per key ([`StatSink::run`]), with no count missing.
//! - A stop takes no longer than the flush time-out, and says which sink did not deliver how much.
//! - With as many keys tracked as may be, further requests go on uncounted
//!   ([`InFlight::is_counted`]), and [`ConcurrencyReporter::untracked_requests`] says how many.
//!
//! What must not live here: rules of counting (they are the core's), metrics libraries, configuration.

#![deny(missing_docs)]

// What the models share with `tests/` calls this crate by its name.
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
