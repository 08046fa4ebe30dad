//! The limit on open files, how many connections it allows, and the descriptors reserved for operators.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::OnceLock;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors used for other things than requests: listeners, probes, the admin port, files.
const OTHERS: u64 = 256;

/// The most descriptors reserved for the admin port, files and the link to the autoscaler.
const RESERVED: u64 = 128;

/// The limit before it was raised.
static INHERITED: OnceLock<Option<u64>> = OnceLock::new();

/// Raises the limit to the hard limit, which is often far higher.
pub(crate) fn raise() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let _ = INHERITED.set(limit.current);
    if limit.current == limit.maximum {
        return Ok(());
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// The limit that this process was started with, if it was raised. Some programs take long, or fail, under a high one.
pub(crate) fn inherited() -> Option<u64> {
    INHERITED.get().copied().flatten()
}

/// How many idle connections to backends the limit allows, beside as many busy ones and their clients.
pub(crate) fn room_for_idle_backends() -> u64 {
    (room_for_clients() / 2).max(1)
}

/// Whether `error` means that the process or the machine is out of descriptors.
pub(crate) fn is_scarcity(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// How many clients the limit allows when each has a connection to a backend as well.
pub(crate) fn room_for_clients() -> u64 {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    (limit.saturating_sub(OTHERS) / 2).max(1)
}

/// Returns `connection`, unless it has a reserved descriptor. New descriptors have the lowest free number, so that hardly
/// any are left then.
///
/// # Errors
/// As if there were no descriptors left.
pub(crate) fn unreserved<S: AsFd>(connection: S) -> io::Result<S> {
    if is_reserved(&connection) {
        Err(Errno::MFILE.into())
    } else {
        Ok(connection)
    }
}

/// Whether `connection` has a reserved descriptor.
pub(crate) fn is_reserved(connection: &impl AsFd) -> bool {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let number = connection.as_fd().as_raw_fd();
    u64::try_from(number).is_ok_and(|number| number >= limit - reserved(limit))
}

/// How many connections the admin port may have.
pub(crate) fn reserved_for_admin() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(reserved(limit) * 3 / 4).map_or(1, |count| count.max(1))
}

fn reserved(limit: u64) -> u64 {
    RESERVED.min(limit / 4)
}
