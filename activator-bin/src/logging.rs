//! Log lines on standard error, as text or JSON.
//!
//! Logging never blocks on standard error: lines pass through a bounded queue to their own thread.

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
use tracing_subscriber::{Layer, Registry, fmt, registry, reload};

pub(crate) mod excerpt;
mod flood;
pub(crate) mod health_log;
pub(crate) mod line;
pub(crate) mod queue;
pub(crate) mod rate_limit;
#[cfg(test)]
pub(crate) mod recorded;

use crate::settings::{Value, settings};
use flood::Flood;
use queue::{Output, Queue};

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

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Parses the log filter.
fn filter(value: &Value<'_>) -> Result<Targets, String> {
    let expected = "a log filter, like \"info\" or \"info,hyper=debug\"";
    let text = value.string(expected)?;
    // The parser takes what it does not understand for the name of a module.
    let stray = |c: char| !(c.is_ascii_alphanumeric() || "_:=,- ".contains(c));
    let parsed = text.parse().ok();
    parsed
        .filter(|_| !text.trim().is_empty() && !text.contains(stray))
        .ok_or_else(|| value.instead_of(expected))
}

/// How long writing the last lines may take when the process exits immediately.
pub(crate) const LAST_WORD: Duration = Duration::from_millis(100);

/// The queue to standard error, one per process.
static QUEUE: OnceLock<Queue> = OnceLock::new();

const OUTPUT: Output = Output {
    name: "standard error",
    lines: "log lines",
    thread: "log",
    max_lines: 4096,
    max_bytes: 1 << 20,
    // One line at a time: a refused write loses no others.
    max_write: 1,
    pause: Duration::ZERO,
};

/// The filter in force, one per process.
static FILTER: OnceLock<reload::Handle<Targets, Registry>> = OnceLock::new();

/// Starts logging for the whole process. A second call changes nothing.
///
/// # Errors
/// The machine is out of threads or descriptors.
pub(crate) fn start(config: &LogConfig) -> io::Result<()> {
    if QUEUE.get().is_none() {
        let queue = Queue::start(stderr()?, OUTPUT)?;
        let _ = QUEUE.set(queue);
    }
    let queue = QUEUE.get().expect("it was set just now");
    let format = config.format;
    let lines = fmt::layer().with_writer(Lines { queue, format });
    let lines = match format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (filter, handle) = reload::Layer::new(quieted(config.filter.clone()));
    let lines = lines.with_filter(filter.and(Flood::new(queue)));
    // Fails only when there is a subscriber already, which then stays.
    if registry().with(lines).try_init().is_ok() {
        let _ = FILTER.set(handle);
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// Logs up to `level` from now on. Other people's modules, at most up to info: their debugging is not ours.
pub(crate) fn set_level(level: LevelFilter) {
    if let Some(filter) = FILTER.get() {
        // Fails only without a subscriber, which is never removed.
        let _ = filter.reload(quieted(up_to(level)));
    }
}

fn up_to(level: LevelFilter) -> Targets {
    let own = ["activator_bin", "reporter"].map(|own| (own, level));
    Targets::from_iter(own).with_default(level.min(LevelFilter::INFO))
}

/// Leaves out what only those should see who ask for it.
fn quieted(filter: Targets) -> Targets {
    let quiet = [
        // Any client can make it warn, any number of times.
        ("h2", LevelFilter::ERROR),
        // Each failed request to the API server is an error to it, however often it is repeated.
        ("kube_client", LevelFilter::OFF),
    ];
    quiet.into_iter().fold(filter, |filter, (target, level)| {
        let is_asked = filter.would_enable(target, &Level::DEBUG)
            || !filter.would_enable(target, &Level::WARN);
        if is_asked {
            filter
        } else {
            filter.with_target(target, level)
        }
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_that_of_this_programs_modules_and_of_others_at_most_info() {
        let check = |level, enabled: &[(&str, Level)], not: &[(&str, Level)]| {
            let filter = quieted(up_to(level));
            for (target, level) in enabled {
                assert!(filter.would_enable(target, level), "{target} {level}");
            }
            for (target, level) in not {
                assert!(!filter.would_enable(target, level), "{target} {level}");
            }
        };
        let (own, reporter) = ("activator_bin::proxy", "reporter_runtime::task");
        check(
            LevelFilter::DEBUG,
            &[
                (own, Level::DEBUG),
                (reporter, Level::DEBUG),
                ("hyper", Level::INFO),
            ],
            &[
                (own, Level::TRACE),
                ("hyper", Level::DEBUG),
                ("h2", Level::WARN),
            ],
        );
        check(
            LevelFilter::WARN,
            &[
                (own, Level::WARN),
                ("hyper", Level::WARN),
                ("h2", Level::ERROR),
            ],
            &[
                (own, Level::INFO),
                ("hyper", Level::INFO),
                ("h2", Level::WARN),
            ],
        );
    }
}
