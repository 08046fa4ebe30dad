//! What the service manager is told, when there is one that wants to know (`sd_notify(3)`).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

/// How long a manager that does not listen may hold us up.
const PATIENCE: Duration = Duration::from_secs(1);

/// The activator serves.
pub(super) const READY: &str = "READY=1";

/// The activator ends.
pub(super) const STOPPING: &str = "STOPPING=1";

/// Tells the manager that `NOTIFY_SOCKET` names; nobody without one.
pub(super) fn notify(state: &str) {
    if let Some(path) = env::var_os("NOTIFY_SOCKET")
        && let Err(error) = send(&path, state)
    {
        tracing::warn!(%error, "cannot tell the service manager {state}");
    }
}

fn send(path: &OsStr, state: &str) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to(state.as_bytes(), path).map(drop)
}
