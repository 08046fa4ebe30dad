//! Opens a file to write lines to, which may be a pipe without a reader.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// What a new file may be used for: written by its owner, read by its group.
const MODE: u32 = 0o640;

/// A file that can be opened again.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) path: PathBuf,
    /// Keeps its content.
    pub(super) append: bool,
}

impl Opening {
    /// Opens or creates it; `None` when it is a pipe without a reader. Does not wait for one.
    pub(super) fn open(&self) -> io::Result<Option<File>> {
        let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one of the lower bits");
        let mut options = OpenOptions::new();
        options.create(true).mode(MODE).custom_flags(nonblock);
        if self.append {
            options.append(true);
        } else {
            options.write(true).truncate(true);
        }
        match options.open(&self.path) {
            Ok(file) => {
                // Only the opening must not wait: writes run on a thread that may.
                fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
                Ok(Some(file))
            }
            Err(error) if is_unread(&error) && is_pipe(&self.path) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_unread(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::NXIO.raw_os_error())
}

fn is_pipe(path: &Path) -> bool {
    path.metadata().is_ok_and(|it| it.file_type().is_fifo())
}
