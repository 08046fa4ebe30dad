//! Where log lines go and how they look: standard error, as text for people or as JSON for programs.
//!
//! Nobody who logs waits for standard error: lines pass through a bounded queue to a thread of their own.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;
use std::time::Duration;

use tracing::Level;
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt, registry};

pub(crate) mod excerpt;
mod flood;
pub(crate) mod health_log;
mod line;
mod queue;

use crate::settings::{Value, settings};
use flood::Flood;
use queue::Queue;

settings! {
    /// What is logged, and how.
    #[derive(Clone, Debug, PartialEq)]
    pub struct LogConfig in "" {
        /// Log level: error, warn, info, debug or trace, or per module as in info,hyper=debug.
        filter as "log": Targets = "info", by(filter);
        /// Log format: text or json.
        format as "log_format": LogFormat = "text",
            choice(&[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    }
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object of JSON a line.
    Json,
}

/// A list of directives that say what is logged.
fn filter(value: &Value<'_>) -> Result<Targets, String> {
    let expected = "a log filter, like \"info\" or \"info,hyper=debug\"";
    let text = value.string(expected)?;
    // What the parser does not understand it takes for the name of a module.
    let stray = |c: char| !(c.is_ascii_alphanumeric() || "_:=,- ".contains(c));
    let parsed = text.parse().ok();
    parsed
        .filter(|_| !text.trim().is_empty() && !text.contains(stray))
        .ok_or_else(|| value.instead_of(expected))
}

/// How long it may take to write why the process may end at once.
pub(crate) const LAST_WORD: Duration = Duration::from_millis(100);

/// The way to standard error, of which a process has one.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// The machine has no thread or descriptor left for it.
pub(crate) fn start(config: &LogConfig) -> io::Result<()> {
    if QUEUE.get().is_none() {
        let queue = Queue::start(stderr()?)?;
        let _ = QUEUE.set(queue);
    }
    let queue = QUEUE.get().expect("it was set just now");
    let format = config.format;
    let lines = fmt::layer().with_writer(Lines { queue, format });
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Any client can make h2 warn, as often as it likes.
    let (filter, h2) = (config.filter.clone(), "h2");
    let is_asked = filter.would_enable(h2, &Level::DEBUG) || !filter.would_enable(h2, &Level::WARN);
    let filter = match is_asked {
        true => filter,
        false => filter.with_target(h2, LevelFilter::ERROR),
    };
    // Fails only when there is a subscriber already, and then that one has the say.
    let _ = registry()
        .with(lines.with_filter(filter.and(Flood::new(queue))))
        .try_init();
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Log lines that never reached standard error, in all.
pub(crate) fn lines_dropped() -> u64 {
    QUEUE.get().map_or(0, Queue::dropped)
}

/// Waits until what was logged so far is written, for at most `patience`.
pub(crate) fn flush(patience: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(patience);
    }
}

/// Writes `text` to standard error, behind what was logged. It waits for that only until logging has started.
pub(crate) fn say(text: &str) {
    match QUEUE.get() {
        Some(queue) => text
            .lines()
            .for_each(|text| queue.push(line::bounded(&format!("{text}\n"), LogFormat::Text))),
        // When even that can't be written, the exit code is what is left to say.
        None => drop(writeln!(io::stderr(), "{text}")),
    }
}

/// A descriptor of its own: while a write to it blocks, the standard library's lock on standard error is free.
fn stderr() -> io::Result<File> {
    let descriptor = io::stderr().as_fd().try_clone_to_owned()?;
    Ok(File::from(descriptor))
}

/// In place of the standard library's hook, which writes to standard error and may wait for it.
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
    // The process may end right behind it.
    flush(LAST_WORD);
}

/// Takes formatted lines to the queue.
struct Lines {
    queue: &'static Queue,
    format: LogFormat,
}

/// Takes one line, which comes in one piece.
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
