//! A tar archive of root's files that depends on nothing but them and one time.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

/// Files by their path, in the order of an archive.
pub(crate) type Files = BTreeMap<String, File>;

/// One file of an archive or a package.
pub(crate) struct File {
    pub(crate) mode: u32,
    pub(crate) content: Vec<u8>,
}

impl File {
    pub(crate) fn text(content: impl Into<Vec<u8>>) -> Self {
        Self {
            mode: 0o644,
            content: content.into(),
        }
    }

    pub(crate) fn program(content: Vec<u8>) -> Self {
        Self {
            mode: 0o755,
            content,
        }
    }
}

/// An archive that is being written.
pub(crate) struct Tar {
    builder: tar::Builder<Vec<u8>>,
    modified: u64,
}

impl Tar {
    /// One whose entries were all last modified at `modified`, in seconds since 1970.
    pub(crate) fn new(modified: u64) -> Self {
        Self {
            builder: tar::Builder::new(Vec::new()),
            modified,
        }
    }

    /// `files`, and the directories that they are in, in the directory `within`.
    pub(crate) fn of(files: &Files, within: &str, modified: u64) -> Result<Vec<u8>> {
        let mut tar = Self::new(modified);
        let mut directories = BTreeSet::new();
        for (path, file) in files {
            let path = format!("{within}/{path}");
            for (end, _) in path.match_indices('/') {
                if directories.insert(path[..end].to_owned()) {
                    tar.directory(&path[..=end])?;
                }
            }
            tar.file(&path, file.mode, &file.content)?;
        }
        tar.end()
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        self.entry(tar::EntryType::Regular, path, mode, content)
    }

    pub(crate) fn directory(&mut self, path: &str) -> Result<()> {
        self.entry(tar::EntryType::Directory, path, 0o755, &[])
    }

    fn entry(&mut self, kind: tar::EntryType, path: &str, mode: u32, content: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(self.modified);
        header.set_size(content.len() as u64);
        Ok(self.builder.append_data(&mut header, path, content)?)
    }

    pub(crate) fn end(self) -> Result<Vec<u8>> {
        Ok(self.builder.into_inner()?)
    }
}

#[cfg(test)]
mod tests;
