//! Notifications to the service manager, if there is one (`sd_notify(3)`).

use std::env;
use std::io;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use socket2::{Domain, SockAddr, Socket, Type};

mod address;
pub(crate) mod watchdog;

use address::{Address, Vsock};

/// How long a notification may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The most characters of a status.
const MAX_STATUS: usize = 500;

/// The activator serves requests.
pub(crate) const READY: &str = "READY=1";

/// The activator is stopping.
pub(crate) const STOPPING: &str = "STOPPING=1";

/// Everything that serves has worked since this was said last.
pub(crate) const WATCHDOG: &str = "WATCHDOG=1";

/// The configuration is being read again. To be followed by [`reloaded`].
pub(crate) fn reloading() -> String {
    let now = clock_gettime(ClockId::Monotonic);
    let microseconds = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1_000;
    format!("RELOADING=1\nMONOTONIC_USEC={microseconds}")
}

/// The end of a reload, whether it succeeded or not.
pub(crate) fn reloaded(outcome: &str) -> String {
    format!("{READY}\n{}", status(outcome))
}

/// What people see of this process, in one line.
pub(crate) fn status(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|it| if it.is_control() { ' ' } else { it })
        .take(MAX_STATUS)
        .collect();
    format!("STATUS={line}")
}

/// Notifies without keeping the other tasks of this thread waiting.
///
/// Cancellation does not stop the notification.
pub(crate) async fn notify_later(state: String) {
    // An error means that the runtime is shutting down.
    let _ = tokio::task::spawn_blocking(move || notify(&state)).await;
}

/// Notifies the manager at `NOTIFY_SOCKET`; does nothing if that is not set.
pub(crate) fn notify(state: &str) {
    let Some(name) = env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
        return;
    };
    let sent = match Address::parse(&name) {
        Ok(address) => send(&address, state).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = sent {
        let state = state.lines().next().unwrap_or_default();
        tracing::warn!(
            "cannot notify the service manager of {state}: NOTIFY_SOCKET={name:?}: {error}"
        );
    }
}

fn send(address: &Address, state: &str) -> io::Result<()> {
    match address {
        Address::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
            socket.set_write_timeout(Some(PATIENCE))?;
            let sent = socket.send_to(state.as_bytes(), &SockAddr::unix(path)?);
            sent.map(drop)
        }
        Address::Vsock(vsock) => send_vsock(vsock, state),
    }
}

/// Tries the socket types that the address allows; few kernels support all.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn send_vsock(Vsock { kinds, cid, port }: &Vsock, state: &str) -> io::Result<()> {
    let mut last = io::Error::from(io::ErrorKind::Unsupported);
    let each = PATIENCE / u32::try_from(kinds.len()).unwrap_or(1);
    for kind in *kinds {
        let sent = Socket::new(Domain::VSOCK, *kind, None).and_then(|socket| {
            socket.connect_timeout(&SockAddr::vsock(*cid, *port), each)?;
            socket.set_write_timeout(Some(each))?;
            socket.send(state.as_bytes())
        });
        match sent {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send_vsock(_: &Vsock, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
