//! How many files and sockets this process may have open, and for how many connections that is room.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside the connections of requests: listeners, probes, the admin port, files.
const OTHERS: u64 = 256;

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

/// How many clients there is room for when each has a connection to a backend as well.
pub(crate) fn room_for_clients() -> u64 {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    (most.saturating_sub(OTHERS) / 2).max(1)
}
