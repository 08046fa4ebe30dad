//! A file to write lines to, without a buffer. No formatting lives here.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::sleep;

use super::opening::Opening;

/// How long to wait before a pipe without a reader is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// Writes to a file (a pipe, a terminal) on tokio's blocking threads, and returns what the file took.
///
/// tokio's own `File` and `Stdout` complete a write before it is done: if it then fails, the buffered
/// bytes are lost, and a line with them.
///
/// A write that was begun is carried out, so the same bytes must be passed again until it completes;
/// [`JsonLines`](super::JsonLines) does. While a pipe's reader stalls, the write holds one blocking
/// thread, which a runtime's shutdown waits for unless it has a timeout.
pub struct FileWriter {
    /// `None` while it is a pipe without a reader; then there is an opening.
    file: Option<Arc<File>>,
    opening: Option<Arc<Opening>>,
    /// Replaces the file above between two lines.
    next: Arc<Mutex<Option<File>>>,
    /// Something was written since the last flush, which ends each line.
    in_a_line: bool,
    writing: Option<JoinHandle<Written>>,
}

/// The file, which may have been opened for it, and how much it took.
type Written = io::Result<(Arc<File>, usize)>;

/// Opens the file of a [`FileWriter`] again by its name, after it was moved (log rotation).
///
/// ```
/// use reporter_runtime::sink::json_lines::{FileWriter, JsonLines};
///
/// # let folder = std::env::temp_dir().join(format!("reopener-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// let path = folder.join("reports");
/// let writer = FileWriter::append(&path)?;
/// let reopener = writer.reopener().expect("the file has a name");
/// let sink = JsonLines::new("reports", "proxy-0", writer);
///
/// // Whoever rotates logs moves it away, and says so by a signal.
/// std::fs::rename(&path, folder.join("reports.1"))?;
/// reopener.reopen()?;
/// assert!(path.exists());
/// # drop(sink);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Reopener {
    opening: Arc<Opening>,
    next: Arc<Mutex<Option<File>>>,
}

impl FileWriter {
    /// A writer to `file`.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self {
            file: Some(Arc::new(file)),
            opening: None,
            next: Arc::default(),
            in_a_line: false,
            writing: None,
        }
    }

    /// A writer that appends to the file at `path`, which is created if missing.
    ///
    /// A pipe without a reader is opened once it has one; until then writes fail.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn append(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        Self::open(Opening { path, append: true })
    }

    /// A writer that truncates the file at `path`; otherwise like [`append`](Self::append).
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn replace(path: impl Into<PathBuf>) -> io::Result<Self> {
        let (path, append) = (path.into(), false);
        Self::open(Opening { path, append })
    }

    fn open(opening: Opening) -> io::Result<Self> {
        Ok(Self {
            file: opening.open()?.map(Arc::new),
            opening: Some(Arc::new(opening)),
            next: Arc::default(),
            in_a_line: false,
            writing: None,
        })
    }

    /// A writer to the standard output.
    ///
    /// # Errors
    /// Its descriptor cannot be duplicated.
    pub fn stdout() -> io::Result<Self> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::new(File::from(descriptor)))
    }

    /// Opens its file again; `None` when it has no name.
    #[must_use]
    pub fn reopener(&self) -> Option<Reopener> {
        Some(Reopener {
            opening: Arc::clone(self.opening.as_ref()?),
            next: Arc::clone(&self.next),
        })
    }

    /// Waits until a pipe has a reader.
    ///
    /// Cancel-safe.
    ///
    /// # Errors
    /// The file can't be opened.
    pub async fn ready(&mut self) -> io::Result<()> {
        while let (None, Some(opening)) = (&self.file, &self.opening) {
            let opening = Arc::clone(opening);
            let opened = spawn_blocking(move || opening.open()).await;
            match opened.unwrap_or_else(|error| Err(io::Error::other(error)))? {
                Some(file) => self.file = Some(Arc::new(file)),
                None => sleep(RETRY).await,
            }
        }
        Ok(())
    }
}

impl Reopener {
    /// The name of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.opening.path
    }

    /// Opens or creates the file, to which lines go from the next one on. Blocks.
    ///
    /// # Errors
    /// The file can't be opened; lines go on to the old one.
    pub fn reopen(&self) -> io::Result<()> {
        let file = self.opening.open()?.ok_or_else(unread)?;
        *self.next.lock() = Some(file);
        Ok(())
    }
}

fn unread() -> io::Error {
    io::Error::new(ErrorKind::NotConnected, "the pipe has no reader")
}

impl AsyncWrite for FileWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let write = this.writing.get_or_insert_with(|| {
            if !this.in_a_line
                && let Some(next) = this.next.lock().take()
            {
                this.file = Some(Arc::new(next));
            }
            let (file, opening) = (this.file.clone(), this.opening.clone());
            let bytes = bytes.to_vec();
            spawn_blocking(move || {
                let opened = match (file, opening) {
                    (Some(file), _) => Some(file),
                    (None, Some(opening)) => opening.open()?.map(Arc::new),
                    (None, None) => None,
                };
                let file = opened.ok_or_else(unread)?;
                loop {
                    match (&*file).write(&bytes) {
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        written => return written.map(|written| (file, written)),
                    }
                }
            })
        });
        let written = ready!(Pin::new(write).poll(cx));
        this.writing = None;
        let (file, written) = written.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        this.file = Some(file);
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
