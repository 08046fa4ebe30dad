//! The queue to standard output, one per process.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::OnceLock;
use std::time::Duration;

use crate::logging::queue::{Output, Queue};

static QUEUE: OnceLock<Queue> = OnceLock::new();

/// About a quarter of a second of lines under load.
const OUTPUT: Output = Output {
    name: "standard output",
    lines: "request log lines",
    thread: "request-log",
    max_lines: 16 * 1024,
    max_bytes: 4 << 20,
    max_write: 64 * 1024,
    pause: Duration::from_millis(1),
};

/// Starts the thread that writes the lines. A second call changes nothing.
///
/// # Errors
/// The machine is out of threads or descriptors.
pub(super) fn start() -> io::Result<()> {
    if QUEUE.get().is_none() {
        // A separate descriptor, so that a blocked write does not hold the standard library's lock.
        let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
        let queue = Queue::start(File::from(descriptor), OUTPUT)?;
        let _ = QUEUE.set(queue);
    }
    Ok(())
}

/// Adds a line, or drops it.
pub(super) fn push(line: Vec<u8>) {
    if let Some(queue) = QUEUE.get() {
        queue.push(line);
    }
}

/// The total number of lines that were dropped.
pub(crate) fn lines_dropped() -> u64 {
    QUEUE.get().map_or(0, Queue::dropped)
}

/// Waits until all lines so far are written, for at most `patience`.
pub(crate) fn flush(patience: Duration) {
    if let Some(queue) = QUEUE.get() {
        queue.flush(patience);
    }
}
