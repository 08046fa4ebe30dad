//! Where the lines go: a file or standard output, through a queue, so that nothing waits for it.

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::time::Duration;

use reporter_runtime::sink::json_lines::{LineFile, Reopener};

use crate::logging::queue::{Output, Queue};

/// About a quarter of a second of lines under load.
const OUTPUT: Output = Output {
    name: Cow::Borrowed("standard output"),
    lines: "access log lines",
    thread: "access-log",
    max_lines: 16 * 1024,
    max_bytes: 4 << 20,
    max_write: 64 * 1024,
    pause: Duration::from_millis(1),
    retry: Some(Duration::from_secs(1)),
};

/// Starts the thread that writes lines to standard output.
///
/// # Errors
/// The machine is out of threads or descriptors.
pub(super) fn stdout() -> io::Result<Queue> {
    Queue::start(LineFile::stdout()?, OUTPUT)
}

/// Opens the file at `path` and starts the thread that appends lines to it.
///
/// # Errors
/// The file cannot be opened, or the machine is out of threads.
pub(super) fn file(path: &Path) -> io::Result<(Queue, Option<Reopener>)> {
    let file = LineFile::append(path)?;
    let reopener = file.reopener();
    let output = Output {
        name: path.display().to_string().into(),
        ..OUTPUT
    };
    Ok((Queue::start(file, output)?, reopener))
}
