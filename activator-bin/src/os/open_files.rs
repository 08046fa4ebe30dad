//! How many files and sockets this process may have open, for how many connections that is room, and which
//! are kept for operators.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside the connections of requests: listeners, probes, the admin port, files.
const OTHERS: u64 = 256;

/// The most descriptors that requests leave to the admin port, files and the link to the autoscaler.
const RESERVED: u64 = 128;

/// Lets this process have as many open as it may: often far more than it is given at first.
pub(crate) fn raise() -> io::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return Ok(());
    }
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    Ok(setrlimit(Resource::Nofile, raised)?)
}

/// How many idle connections to backends there is room for beside as many of busy ones, and clients of both.
pub(crate) fn room_for_idle_backends() -> u64 {
    (room_for_clients() / 2).max(1)
}

/// Whether the process, or the whole machine, has no descriptor left.
pub(crate) fn is_scarcity(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE))
}

/// How many clients there is room for when each has a connection to a backend as well.
pub(crate) fn room_for_clients() -> u64 {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    (most.saturating_sub(OTHERS) / 2).max(1)
}

/// A connection of a request or to its backend, unless it has one of the descriptors that are kept for
/// others. A new one has the lowest number that is free, so that hardly any are left then.
///
/// # Errors
/// As if there were none left at all.
pub(crate) fn unreserved<S: AsFd>(connection: S) -> io::Result<S> {
    match is_reserved(&connection) {
        true => Err(Errno::MFILE.into()),
        false => Ok(connection),
    }
}

/// Whether `connection` has one of the descriptors that are kept for others.
pub(crate) fn is_reserved(connection: &impl AsFd) -> bool {
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let number = connection.as_fd().as_raw_fd();
    u64::try_from(number).is_ok_and(|number| number >= most - reserved(most))
}

/// How many connections the admin port may have.
pub(crate) fn reserved_for_admin() -> usize {
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(reserved(most) * 3 / 4).map_or(1, |most| most.max(1))
}

fn reserved(most: u64) -> u64 {
    RESERVED.min(most / 4)
}
