//! tokio around [`reporter_core`]: guards that count in line, the task with the ticks, and the sinks.
//!
//! What must not live here: rules of counting (they are the core's), metrics libraries, configuration.

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
