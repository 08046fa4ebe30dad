//! Where an instance listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Where an instance listens, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its address. For a unix socket a made-up one, which names it among the backends and nowhere else.
    pub address: SocketAddr,
    /// The unix socket that it listens on, instead of `address`.
    pub socket: Option<Arc<Path>>,
}

impl From<SocketAddr> for Place {
    /// Over TCP.
    fn from(address: SocketAddr) -> Self {
        let socket = None;
        Self { address, socket }
    }
}

/// What it is called in logs and errors.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.socket {
            None => self.address.fmt(f),
            Some(path) => path.display().fmt(f),
        }
    }
}
