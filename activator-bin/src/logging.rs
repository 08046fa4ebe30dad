//! Log lines on standard error, as text or JSON.
//!
//! Logging never blocks on standard error: lines pass through a bounded queue to their own thread.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::filter::FilterExt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry, reload};

mod control;
pub(crate) mod excerpt;
mod filter;
mod flood;
pub(crate) mod health_log;
mod level;
pub(crate) mod line;
pub(crate) mod queue;
pub(crate) mod rate_limit;
#[cfg(test)]
pub(crate) mod recorded;

use crate::settings::settings;
pub(crate) use control::Control;
pub(crate) use filter::Filter;
use flood::Flood;
pub(crate) use level::Event;
use queue::{Output, Queue};

settings! {
    /// What is logged, and how.
    #[derive(Clone, Debug, PartialEq)]
    pub struct LogConfig in "" {
        /// Log level: error, warn, info, debug or trace, or per module as in info,hyper=debug.
        filter as "log": Filter = "info", by(Filter::read), live();
        /// Log format: text or json.
        format as "log_format": LogFormat = "text",
            choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    }
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// How long writing the last lines may take when the process exits immediately.
pub(crate) const LAST_WORD: Duration = Duration::from_millis(100);

/// The queue to standard error, one per process.
static QUEUE: OnceLock<Queue> = OnceLock::new();

const OUTPUT: Output = Output {
    name: Cow::Borrowed("standard error"),
    lines: "log lines",
    thread: "log",
    max_lines: 4096,
    max_bytes: 1 << 20,
    // One line at a time: a refused write loses no others.
    max_write: 1,
    pause: Duration::ZERO,
    retry: None,
};

/// The filter in force, one per process.
static CONTROL: OnceLock<Control> = OnceLock::new();

/// Starts logging for the whole process. A second call changes nothing. `is_set` says whether the filter was configured.
///
/// # Errors
/// The machine is out of threads or descriptors.
pub(crate) fn start(config: &LogConfig, is_set: bool) -> io::Result<()> {
    if QUEUE.get().is_none() {
        let queue = Queue::start(stderr()?, OUTPUT)?;
        let _ = QUEUE.set(queue);
    }
    let queue = QUEUE.get().expect("it was set just now");
    let format = config.format;
    let lines = fmt::layer().with_writer(Lines { queue, format });
    let lines = match format {
        LogFormat::Text => {
            // For people at a terminal, unless NO_COLOR says otherwise: as help and its errors.
            let choice = AutoStream::choice(&io::stderr());
            lines.with_ansi(choice != ColorChoice::Never).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (filter, handle) = reload::Layer::new(config.filter.applied());
    let lines = lines.with_filter(filter.and(Flood::new(queue)));
    // Fails only when there is a subscriber already, which then stays.
    if registry().with(lines).try_init().is_ok() {
        let configured = is_set.then(|| config.filter.clone());
        let _ = CONTROL.set(Control::new(configured, handle));
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// The filter in force; `None` if the program that this is a part of has not started logging here.
pub(crate) fn control() -> Option<&'static Control> {
    CONTROL.get()
}

/// Something happens that may change the filter.
pub(crate) fn on(event: Event) {
    if let Some(control) = control() {
        control.on(event);
    }
}

/// Keeps time for the filter, for as long as it is polled.
pub(crate) async fn run() {
    if let Some(control) = control() {
        control.run().await;
    }
}

/// The total number of log lines that never reached standard error.
pub(crate) fn lines_dropped() -> u64 {
    QUEUE.get().map_or(0, Queue::dropped)
}

/// Waits until everything logged so far is written, for at most `patience`.
pub(crate) fn flush(patience: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(patience);
    }
}

/// Writes `text` to standard error, after what was logged. Blocks only if logging has not started.
pub(crate) fn say(text: &str) {
    match QUEUE.get() {
        Some(queue) => text
            .lines()
            .for_each(|text| queue.push(line::bounded(&format!("{text}\n"), LogFormat::Text))),
        // If this fails too, there is still the exit code.
        None => drop(writeln!(io::stderr(), "{text}")),
    }
}

/// A separate descriptor, so that a blocked write does not hold the standard library's lock on standard error.
fn stderr() -> io::Result<File> {
    let descriptor = io::stderr().as_fd().try_clone_to_owned()?;
    Ok(File::from(descriptor))
}

/// Replaces the standard library's hook, which may block on standard error.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let panic = panic.to_string().replace('\n', " ");
    tracing::error!("thread {:?} {panic}", thread.name().unwrap_or_default());
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        for line in backtrace.to_string().lines() {
            tracing::error!("{line}");
        }
    }
    // The process may end right after this.
    flush(LAST_WORD);
}

/// Adds formatted lines to the queue.
struct Lines {
    queue: &'static Queue,
    format: LogFormat,
}

/// The writer of one line, which is written in one piece.
struct OneLine<'a>(&'a Lines);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = OneLine<'a>;

    fn make_writer(&'a self) -> OneLine<'a> {
        OneLine(self)
    }
}

impl Write for OneLine<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Lines { queue, format } = self.0;
        queue.push(line::bounded(&String::from_utf8_lossy(line), *format));
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
