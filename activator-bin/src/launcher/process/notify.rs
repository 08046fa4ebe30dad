//! The socket on which a program says that it is ready (`sd_notify(3)`).
//!
//! It is in a directory that only the user of the instance can enter.

use std::io;
use std::os::unix::net::UnixDatagram as StdDatagram;
use std::path::Path;

use tokio::net::UnixDatagram;

/// The longest message, in bytes; the rest of a longer one is dropped.
const MAX: usize = 4096;

/// What a program says when it is ready.
const READY: &[u8] = b"READY=1";

/// Such a socket.
#[derive(Debug)]
pub(super) struct Notifications(StdDatagram);

impl Notifications {
    pub(super) fn bind(path: &Path) -> io::Result<Self> {
        let socket = StdDatagram::bind(path)?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Listens from now on.
    pub(super) fn listen(self) -> io::Result<Listening> {
        UnixDatagram::from_std(self.0).map(Listening)
    }
}

/// Reads what a program says, as long as it is there: it may block while nobody does.
pub(super) struct Listening(UnixDatagram);

impl Listening {
    /// Returns when the program says that it is ready; not if the socket fails. Can be dropped at any time.
    pub(super) async fn ready(&self) {
        let mut message = [0; MAX];
        while let Ok(length) = self.0.recv(&mut message).await {
            let mut lines = message[..length].split(|byte| *byte == b'\n');
            if lines.any(|line| line == READY) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}
