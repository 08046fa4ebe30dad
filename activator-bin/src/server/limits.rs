//! Bounds that protect the activator from its peers.

use std::time::Duration;

/// Bounds on what peers may take; the defaults suit production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long a request's head may take to come, the first one since the connection was accepted,
    /// a later one since its first byte; 60 s by default.
    pub head_timeout: Duration,
    /// How long connecting to a backend may take; 10 s by default.
    pub connect_timeout: Duration,
    /// How long an idle connection to a backend is kept; 90 s by default.
    pub backend_idle_timeout: Duration,
    /// How many idle connections are kept per backend and worker; 512 by default.
    pub backend_idle_connections: usize,
    /// The longest head of a request or an answer, in bytes; 64 KiB by default, 8 KiB at least.
    /// As much of a body may be buffered in each direction of a connection.
    pub head: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_timeout: Duration::from_secs(60),
            connect_timeout: Duration::from_secs(10),
            backend_idle_timeout: Duration::from_secs(90),
            backend_idle_connections: 512,
            head: 64 * 1024,
        }
    }
}
