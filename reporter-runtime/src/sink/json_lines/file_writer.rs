//! A file to write lines to, with nothing buffered in between. No formatting lives here.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tokio::task::JoinHandle;

/// Writes to a file (a pipe, a terminal) on tokio's blocking threads, and answers what the file took.
///
/// tokio's own `File` and `Stdout` answer a write before it is done: when it then fails, what they
/// had buffered is gone, and a line with it.
///
/// A write that was begun is carried out, so its bytes must be offered again until its answer is
/// there; [`JsonLines`](super::JsonLines) does. While a pipe's reader stalls, the write holds one
/// blocking thread, which a runtime's shutdown waits for unless it is told how long.
pub struct FileWriter {
    file: Arc<File>,
    writing: Option<JoinHandle<io::Result<usize>>>,
}

impl FileWriter {
    /// A writer to `file`.
    #[must_use]
    pub fn new(file: File) -> Self {
        Self {
            file: Arc::new(file),
            writing: None,
        }
    }

    /// A writer to the standard output.
    ///
    /// # Errors
    /// Its descriptor cannot be duplicated.
    pub fn stdout() -> io::Result<Self> {
        let descriptor = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::new(File::from(descriptor)))
    }
}

impl AsyncWrite for FileWriter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { file, writing } = &mut *self;
        let write = writing.get_or_insert_with(|| {
            let file = Arc::clone(file);
            let bytes = bytes.to_vec();
            tokio::task::spawn_blocking(move || {
                loop {
                    match (&*file).write(&bytes) {
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        written => return written,
                    }
                }
            })
        });
        let written = ready!(Pin::new(write).poll(cx));
        *writing = None;
        Poll::Ready(written.unwrap_or_else(|error| Err(io::Error::other(error))))
    }

    /// There is nothing to flush.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
