//! Lines on their way to an output that may be slow, stuck or broken: a bounded queue and the thread behind it.
//!
//! Who adds a line never waits. What finds no room is dropped and counted, as is what the output refuses.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The most lines that wait.
const MOST_LINES: usize = 4096;
/// The most bytes that wait.
const MOST_BYTES: usize = 1 << 20;
/// The pause between two lines about lines that were left out.
const TELL_PAUSE: Duration = Duration::from_secs(5);
/// The pause before an output that does not block is offered the rest of a line again.
const RETRY: Duration = Duration::from_millis(10);

/// The way into the queue. Its thread runs until the process ends.
pub(super) struct Queue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    added: Condvar,
    done: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    /// In `lines`.
    bytes: usize,
    /// Lines that were added, and those of them that were written or refused by the output.
    added: u64,
    done: u64,
    /// There was no room for a line, and the queue is not half empty yet: all in a row that are
    /// dropped are told as one.
    full: bool,
    dropped: u64,
    /// Those of the dropped that were told.
    told: u64,
    /// Lines that were not even added, as too many of their kind were; those of them that were told, and when.
    left_out: u64,
    told_left_out: u64,
    told_at: Option<Instant>,
}

impl Queue {
    /// A queue with a thread that writes to `output`.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub(super) fn start(output: impl Write + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let queue = Self(Arc::clone(&shared));
        let thread = thread::Builder::new().name("log".to_owned());
        thread.spawn(move || shared.write(output))?;
        Ok(queue)
    }

    /// Adds a line, or drops it.
    pub(super) fn push(&self, line: Vec<u8>) {
        let mut state = self.0.state.lock();
        let (lines, bytes) = (state.lines.len() + 1, state.bytes + line.len());
        if state.full || lines > MOST_LINES || bytes > MOST_BYTES {
            state.full = true;
            state.dropped += 1;
            return;
        }
        state.bytes = bytes;
        state.added += 1;
        state.lines.push_back(line);
        self.0.added.notify_one();
    }

    /// Counts a line that is not to be added.
    pub(super) fn leave_out(&self) {
        self.0.state.lock().left_out += 1;
    }

    /// Lines that were dropped or left out, in all.
    pub(super) fn dropped(&self) -> u64 {
        let state = self.0.state.lock();
        state.dropped + state.left_out
    }

    /// Waits until the lines that were added so far have left the queue, for at most `patience`;
    /// answers whether they have.
    pub(super) fn flush(&self, patience: Duration) -> bool {
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
    /// Writes what is added, for ever.
    fn write(&self, mut output: impl Write) {
        let mut torn = false;
        loop {
            let line = self.next();
            let written = match torn {
                true => write_all(&mut output, b"\n").and_then(|()| write_all(&mut output, &line)),
                false => write_all(&mut output, &line),
            };
            let is_written = written.is_ok();
            torn = !is_written;
            if let Some(dropped) = self.on_done(is_written) {
                tracing::warn!(
                    lines = dropped,
                    "standard error did not take log lines: dropped"
                );
            }
            if let Some(left_out) = self.left_out(Instant::now()) {
                tracing::warn!(
                    lines = left_out,
                    "log lines came too fast: left out beyond 200 of a kind and 10 a second"
                );
            }
        }
    }

    /// Waits for a line and takes it.
    fn next(&self) -> Vec<u8> {
        let mut state = self.state.lock();
        loop {
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                if state.lines.len() <= MOST_LINES / 2 && state.bytes <= MOST_BYTES / 2 {
                    state.full = false;
                }
                return line;
            }
            self.added.wait(&mut state);
        }
    }

    /// A line was written or refused; answers how many dropped ones are to be told.
    fn on_done(&self, is_written: bool) -> Option<u64> {
        let mut state = self.state.lock();
        state.done += 1;
        self.done.notify_all();
        if !is_written {
            state.dropped += 1;
        }
        let untold = state.dropped - state.told;
        if !is_written || state.full || untold == 0 {
            return None;
        }
        state.told = state.dropped;
        Some(untold)
    }
}

impl Shared {
    /// How many lines that were left out are to be told: from time to time, with the line that comes next.
    fn left_out(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        let untold = state.left_out - state.told_left_out;
        let is_early = state
            .told_at
            .is_some_and(|at| now.saturating_duration_since(at) < TELL_PAUSE);
        if untold == 0 || is_early {
            return None;
        }
        state.told_left_out = state.left_out;
        state.told_at = Some(now);
        Some(untold)
    }
}

/// Writes all of it, also to an output that is set not to block.
fn write_all(output: &mut impl Write, mut rest: &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match output.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(RETRY),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
