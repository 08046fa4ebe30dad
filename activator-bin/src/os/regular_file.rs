//! Reads regular files of bounded size.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// The largest file that is read: enough for a hundred thousand revisions, and a bound on `/dev/zero`.
pub(crate) const LIMIT: u64 = 64 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    /// Reading failed; a retry may succeed.
    #[error("cannot be read: {0}")]
    Failed(#[from] io::Error),
    /// Its content can be read only once.
    #[error("is {0}, which cannot be read twice")]
    Once(&'static str),
    #[error("is larger than {}", if *.0 < 1 << 20 { format!("{} KiB", .0 >> 10) } else { format!("{} MiB", .0 >> 20) })]
    TooLarge(u64),
}

/// Reads a file. Refuses pipes and devices, without waiting for a writer.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Unread> {
    read_up_to(path, LIMIT)
}

/// The same with another limit on its size.
pub(crate) fn read_up_to(path: &Path, limit: u64) -> Result<Vec<u8>, Unread> {
    // Opening a pipe would wait for its writer.
    let nonblock = i32::try_from(OFlags::NONBLOCK.bits()).expect("it is one of the lower bits");
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblock)
        .open(path)?;
    if let Some(kind) = read_once(file.metadata()?.file_type()) {
        return Err(Unread::Once(kind));
    }
    read_all_up_to(file, limit)
}

/// Reads `file` to its end; it may be a pipe.
pub(crate) fn read_all(file: File) -> Result<Vec<u8>, Unread> {
    read_all_up_to(file, LIMIT)
}

fn read_all_up_to(file: File, limit: u64) -> Result<Vec<u8>, Unread> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(Unread::TooLarge(limit));
    }
    Ok(bytes)
}

/// The kind of a file that cannot be read twice, in words; `None` for others.
pub(crate) fn read_once(kind: FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        None
    }
}
