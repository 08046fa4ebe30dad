//! A file to write lines to, opened again by its name when asked. Blocks. No formatting lives here.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::opening::Opening;

/// A file (a pipe, a terminal) that lines are written to, without a buffer. Blocks.
///
/// A pipe without a reader is opened once it has one; until then writes fail.
#[derive(Debug)]
pub struct LineFile {
    /// `None` while it is a pipe without a reader; then there is an opening.
    file: Option<File>,
    opening: Option<Arc<Opening>>,
    /// Replaces the file above between two lines.
    next: Arc<Mutex<Option<File>>>,
}

/// Opens the file of a [`LineFile`] again by its name, after it was moved (log rotation).
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
#[derive(Clone, Debug)]
pub struct Reopener {
    opening: Arc<Opening>,
    next: Arc<Mutex<Option<File>>>,
}

impl LineFile {
    /// This file, which is never opened again.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self {
            file: Some(file),
            opening: None,
            next: Arc::default(),
        }
    }

    /// The file at `path`, to append to. It is created if missing, readable by its group.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn append(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        Self::open(Opening { path, append: true })
    }

    /// The file at `path`, emptied; otherwise like [`append`](Self::append).
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn replace(path: impl Into<PathBuf>) -> io::Result<Self> {
        let (path, append) = (path.into(), false);
        Self::open(Opening { path, append })
    }

    fn open(opening: Opening) -> io::Result<Self> {
        Ok(Self {
            file: opening.open()?,
            opening: Some(Arc::new(opening)),
            next: Arc::default(),
        })
    }

    /// The standard output, by a descriptor of its own: a write that blocks holds no lock of the standard library.
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

    /// Goes on in the file that was opened again, if it was. Returns whether it was.
    pub fn switch(&mut self) -> bool {
        let next = self.next.lock().take();
        let is_new = next.is_some();
        self.file = next.or(self.file.take());
        is_new
    }

    /// Opens a pipe that had no reader. Returns whether it is open now.
    ///
    /// # Errors
    /// The file can't be opened.
    pub fn try_open(&mut self) -> io::Result<bool> {
        if let (None, Some(opening)) = (&self.file, &self.opening) {
            self.file = opening.open()?;
        }
        Ok(self.file.is_some())
    }
}

impl Write for LineFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_open()?;
        let file = self.file.as_mut().ok_or_else(unread)?;
        loop {
            match file.write(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
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
