//! A bounded queue and thread for log lines, since the output may be slow, stuck or broken.
//!
//! Adding a line never blocks. Lines that do not fit are dropped and counted. So are lines that the output refuses, or
//! they are written again until it takes them: then no line is torn, and what follows waits.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use reporter_runtime::sink::json_lines::LineFile;

/// The pause between two reports of lines that were left out.
const REPORT_PAUSE: Duration = Duration::from_secs(5);
/// The pause before a write to a non-blocking output is retried.
const RETRY: Duration = Duration::from_millis(10);

/// Where lines go, and how many may wait.
#[derive(Clone)]
pub(crate) struct Output {
    /// For log lines about it.
    pub(crate) name: Cow<'static, str>,
    /// What its lines are called.
    pub(crate) lines: &'static str,
    /// The name of its thread.
    pub(crate) thread: &'static str,
    /// The most lines in the queue.
    pub(crate) max_lines: usize,
    /// The most bytes in the queue.
    pub(crate) max_bytes: usize,
    /// Lines are written together up to about so many bytes.
    pub(crate) max_write: usize,
    /// The pause after each write, in which further lines gather: to wake the thread for each of them costs more than
    /// the line.
    pub(crate) pause: Duration,
    /// The pause before lines that were refused are written again; `None` drops them.
    pub(crate) retry: Option<Duration>,
}

/// What the thread writes to.
pub(crate) trait Target: Write + Send + 'static {
    /// Goes on in another file, which begins with a new line, if there is one. Returns whether there is.
    fn renew(&mut self) -> bool {
        false
    }
}

impl Target for File {}

impl Target for LineFile {
    fn renew(&mut self) -> bool {
        self.switch()
    }
}

/// A handle to the queue. Its thread runs until the process ends.
pub(crate) struct Queue(Arc<Shared>);

struct Shared {
    output: Output,
    state: Mutex<State>,
    added: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    /// Of `lines`.
    bytes: usize,
    /// Lines added, and how many of them were written or refused by the output.
    added: u64,
    done: u64,
    /// Set when a line did not fit, until the queue is half empty: lines dropped in a row are reported together.
    full: bool,
    dropped: u64,
    /// How many of the dropped lines were reported.
    reported: u64,
    /// Lines left out because there were too many of their kind; how many of them were reported, and when.
    left_out: u64,
    reported_left_out: u64,
    reported_at: Option<Instant>,
}

impl Queue {
    /// Starts a thread that writes to `to`.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(crate) fn start(to: impl Target, output: Output) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            output,
            state: Mutex::default(),
            added: Condvar::default(),
            done: Condvar::default(),
        });
        let queue = Self(Arc::clone(&shared));
        let thread = thread::Builder::new().name(shared.output.thread.to_owned());
        thread.spawn(move || shared.write(to))?;
        Ok(queue)
    }

    /// Adds a line, or drops it.
    pub(crate) fn push(&self, line: Vec<u8>) {
        let Output {
            max_lines,
            max_bytes,
            ..
        } = self.0.output;
        let mut state = self.0.state.lock();
        let (lines, bytes) = (state.lines.len() + 1, state.bytes + line.len());
        if state.full || lines > max_lines || bytes > max_bytes {
            state.full = true;
            state.dropped += 1;
            return;
        }
        state.bytes = bytes;
        state.added += 1;
        state.lines.push_back(line);
        self.0.added.notify_one();
    }

    /// Counts a line that is left out.
    pub(crate) fn leave_out(&self) {
        self.0.state.lock().left_out += 1;
    }

    /// The total number of lines dropped or left out.
    pub(crate) fn dropped(&self) -> u64 {
        let state = self.0.state.lock();
        state.dropped + state.left_out
    }

    /// Waits until the lines added so far have left the queue, for at most `patience`. Returns whether they have.
    pub(crate) fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.0.state.lock();
        let added = state.added;
        while state.done < added {
            if self.0.done.wait_until(&mut state, deadline).timed_out() {
                return state.done >= added;
            }
        }
        true
    }
}

impl Shared {
    /// Writes lines as they are added; never returns.
    fn write(&self, mut to: impl Target) {
        let Output {
            name, lines, retry, ..
        } = &self.output;
        let mut torn = false;
        loop {
            let (text, count) = self.next();
            let is_written = match *retry {
                Some(pause) => {
                    self.write_at_last(&mut to, &text, pause);
                    true
                }
                None => {
                    let line_end: &[u8] = if torn { b"\n" } else { b"" };
                    let written = write_all(&mut to, line_end);
                    written.and_then(|()| write_all(&mut to, &text)).is_ok()
                }
            };
            torn = !is_written;
            if let Some(dropped) = self.on_done(count, is_written) {
                tracing::warn!(
                    lines = dropped,
                    "{lines} dropped: {name} did not accept them"
                );
            }
            if let Some(left_out) = self.left_out(Instant::now()) {
                tracing::warn!(
                    lines = left_out,
                    "log lines left out: at most 200 of a kind at once, then 10 a second"
                );
            }
            thread::sleep(self.output.pause);
        }
    }

    /// Writes lines with any number of attempts. Each goes on where the one before stopped, or with the whole line in
    /// another file.
    fn write_at_last(&self, to: &mut impl Target, text: &[u8], pause: Duration) {
        let Output { name, lines, .. } = &self.output;
        let (mut done, mut is_failing) = (0, false);
        to.renew();
        while done < text.len() {
            match write_all(to, &text[done..]) {
                Ok(()) => break,
                Err(Stopped { written, error }) => {
                    done += written;
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(%error, "cannot write {lines} to {name}, trying again every {pause:?}");
                    }
                }
            }
            thread::sleep(pause);
            if to.renew() {
                let line = text[..done].iter().rposition(|byte| *byte == b'\n');
                done = line.map_or(0, |end| end + 1);
            }
        }
        if is_failing {
            tracing::info!("can write {lines} to {name} again");
        }
    }

    /// Waits for lines and removes those that are written together. Returns how many they are.
    fn next(&self) -> (Vec<u8>, u64) {
        let Output {
            max_lines,
            max_bytes,
            max_write,
            ..
        } = self.output;
        let mut state = self.state.lock();
        loop {
            if let Some(mut text) = state.lines.pop_front() {
                let mut count = 1;
                while text.len() < max_write
                    && let Some(line) = state.lines.pop_front()
                {
                    text.extend(line);
                    count += 1;
                }
                state.bytes -= text.len();
                if state.lines.len() <= max_lines / 2 && state.bytes <= max_bytes / 2 {
                    state.full = false;
                }
                return (text, count);
            }
            self.added.wait(&mut state);
        }
    }

    /// Lines were written or refused. Returns how many dropped lines are to be reported.
    fn on_done(&self, lines: u64, is_written: bool) -> Option<u64> {
        let mut state = self.state.lock();
        state.done += lines;
        self.done.notify_all();
        if !is_written {
            state.dropped += lines;
        }
        let unreported = state.dropped - state.reported;
        if !is_written || state.full || unreported == 0 {
            return None;
        }
        state.reported = state.dropped;
        Some(unreported)
    }

    /// How many lines left out are to be reported: from time to time, after the next line.
    fn left_out(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        let unreported = state.left_out - state.reported_left_out;
        let is_early = state
            .reported_at
            .is_some_and(|at| now.saturating_duration_since(at) < REPORT_PAUSE);
        if unreported == 0 || is_early {
            return None;
        }
        state.reported_left_out = state.left_out;
        state.reported_at = Some(now);
        Some(unreported)
    }
}

/// An output has taken so many bytes and refused the next.
struct Stopped {
    written: usize,
    error: io::Error,
}

/// Writes everything, even to a non-blocking output.
fn write_all(output: &mut impl Write, text: &[u8]) -> Result<(), Stopped> {
    let mut written = 0;
    while written < text.len() {
        let error = match output.write(&text[written..]) {
            Ok(0) => ErrorKind::WriteZero.into(),
            Ok(more) => {
                written += more;
                continue;
            }
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Interrupted => {}
            ErrorKind::WouldBlock => thread::sleep(RETRY),
            _ => return Err(Stopped { written, error }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
