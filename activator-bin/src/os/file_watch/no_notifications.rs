//! For systems without inotify, where metadata are polled only.

use std::convert::Infallible;
use std::io;
use std::path::Path;

/// Never exists.
pub(super) struct Notifications(Infallible);

impl Notifications {
    pub(super) fn new(_: &Path) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn follow(&mut self, _: &Path) {
        match self.0 {}
    }

    pub(super) async fn next(&mut self) -> bool {
        match self.0 {}
    }
}
