//! A file to write lines to, on tokio's blocking threads. No formatting lives here.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use super::line_file::{LineFile, Reopener};

/// How long to wait before a pipe without a reader is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Writes to a [`LineFile`] on tokio's blocking threads, and returns what the file took.
///
/// tokio's own `File` and `Stdout` complete a write before it is done: if it then fails, the buffered
/// bytes are lost, and a line with them.
///
/// A write that was begun is carried out, so the same bytes must be passed again until it completes;
/// [`JsonLines`](super::JsonLines) does. While a pipe's reader stalls, the write holds one blocking
/// thread, which a runtime's shutdown waits for unless it has a timeout.
pub struct FileWriter {
    /// Locked by one blocking thread at a time.
    file: Arc<Mutex<LineFile>>,
    reopener: Option<Reopener>,
    /// Something was written since the last flush, which ends each line.
    in_a_line: bool,
    writing: Option<JoinHandle<io::Result<usize>>>,
}

impl FileWriter {
    /// A writer to `file`.
    #[must_use]
    pub fn new(file: File) -> Self {
        LineFile::new(file).into()
    }

    /// A writer that appends to the file at `path`, which is created if missing.
    ///
    /// A pipe without a reader is opened once it has one; until then writes fail.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn append(path: impl Into<PathBuf>) -> io::Result<Self> {
        LineFile::append(path).map(Self::from)
    }

    /// A writer that truncates the file at `path`; otherwise like [`append`](Self::append).
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn replace(path: impl Into<PathBuf>) -> io::Result<Self> {
        LineFile::replace(path).map(Self::from)
    }

    /// A writer to the standard output.
    ///
    /// # Errors
    /// Its descriptor cannot be duplicated.
    pub fn stdout() -> io::Result<Self> {
        LineFile::stdout().map(Self::from)
    }

    /// Opens its file again; `None` when it has no name.
    #[must_use]
    pub fn reopener(&self) -> Option<Reopener> {
        self.reopener.clone()
    }

    /// Waits until a pipe has a reader.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The file can't be opened.
    pub async fn ready(&mut self) -> io::Result<()> {
        loop {
            let file = Arc::clone(&self.file);
            let opened = spawn_blocking(move || file.lock().try_open()).await;
            if opened.unwrap_or_else(|error| Err(io::Error::other(error)))? {
                return Ok(());
            }
            sleep(RETRY).await;
        }
    }
}

impl From<LineFile> for FileWriter {
    fn from(file: LineFile) -> Self {
        Self {
            reopener: file.reopener(),
            file: Arc::new(Mutex::new(file)),
            in_a_line: false,
            writing: None,
        }
    }
}

impl AsyncWrite for FileWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let write = this.writing.get_or_insert_with(|| {
            let (file, bytes, in_a_line) = (Arc::clone(&this.file), bytes.to_vec(), this.in_a_line);
            spawn_blocking(move || {
                let mut file = file.lock();
                if !in_a_line {
                    file.switch();
                }
                file.write(&bytes)
            })
        });
        let written = ready!(Pin::new(write).poll(cx));
        this.writing = None;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        this.in_a_line = true;
        Poll::Ready(Ok(written))
    }

    /// There is nothing to flush, but a flush marks the end of a line.
    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.in_a_line = false;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
