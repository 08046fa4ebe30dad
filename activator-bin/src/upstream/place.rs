//! Where an instance that was started here listens.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

/// Where an instance listens, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its address. For a unix socket a made-up one, which names it among the backends and nowhere else.
    pub address: SocketAddr,
    /// The unix socket that it listens on, instead of `address`.
    pub socket: Option<Arc<Path>>,
}
