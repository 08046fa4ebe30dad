//! Bounds that protect the activator from its peers.

use std::time::Duration;

use crate::os::open_files;

/// Bounds on what peers may take; the defaults suit production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many connections of clients are served at once. For a further one the one that has been idle
    /// for longest is closed; while none is idle, one on each port of each worker is accepted, and all others
    /// wait in the kernel's queues. By default half of what the limit on open files
    /// leaves, the other half being for backends, and 100,000 at most.
    pub max_connections: usize,
    /// How long a request's head may take to come, the first one since the connection was accepted,
    /// a later one since its first byte; 60 s by default.
    pub header_timeout: Duration,
    /// The longest head of a request or an answer, in bytes; 64 KiB by default, 8 KiB at least.
    /// Over HTTP/1.1 at most five times as much of a body is held while it waits to be passed on.
    pub max_header_size: usize,
    /// How many headers a request or an answer may have; 100 by default.
    pub max_headers: usize,
    /// How many bytes the body of a request may have; any number by default.
    pub max_request_body: Option<u64>,
    /// How long a client may send nothing of a body that it has announced, or its connection, over
    /// HTTP/2 each request, take nothing of what it is sent; 60 s by default. A request's body over HTTP/2
    /// may be silent: streams in both directions are, and its connections are pinged.
    pub body_idle_timeout: Duration,
    /// What it means that a client of HTTP/1 closes its side behind its request; by default that it waits for the response.
    pub half_close: HalfClose,
    /// How long a client's connection may be without a request before it is closed, give or take an
    /// eighth; 65 min by default: longer than the pools of ingresses keep theirs, so that it is them who close.
    pub client_idle_timeout: Duration,
    /// How long connecting to a backend may take; 10 s by default.
    pub connect_timeout: Duration,
    /// How long an idle connection to a backend is kept; 90 s by default.
    pub backend_idle_timeout: Duration,
    /// How many idle connections are kept per backend and worker; 512 by default.
    pub backend_idle_connections: usize,
    /// How many idle connections to all backends are kept, over all workers; one per worker at least unless it
    /// is 0. By default a quarter of what the limit on open files leaves, 50,000 at most.
    pub max_backend_idle_connections: usize,
    /// How many requests a client may have under way on one HTTP/2 connection; 250 by default.
    pub http2_max_concurrent_streams: u32,
    /// How much of a body may wait to be passed on, per request and direction over HTTP/2, in bytes;
    /// 64 KiB by default. At most three times that is held of each request in all, and 64 KiB of one that
    /// may have to be sent again.
    pub http2_window: u32,
    /// How many requests a client may have taken back before they were looked at; 500 by default.
    pub http2_max_pending_resets: usize,
    /// How many of a connection's requests may be malformed, or more than may be under way, at once; 256 by default.
    /// A hundred more are forgiven every second.
    pub http2_max_error_resets: usize,
    /// How long a client's HTTP/2 connection may be silent before it is asked for a sign of life;
    /// 30 s by default.
    pub http2_ping_interval: Duration,
    /// How long the sign of life may take, from either side; 20 s by default.
    pub http2_ping_timeout: Duration,
    /// How many requests share one HTTP/2 connection to a backend at most; 100 by default. The
    /// backend may allow fewer.
    pub backend_max_streams: u32,
    /// How often a backend's HTTP/2 connection with requests under way is asked for a sign of life;
    /// 5 min by default, the most often that servers of gRPC tolerate.
    pub backend_ping_interval: Duration,
}

/// What it means that a client closes its side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClose {
    /// It sends no more; requests that it has sent are responded to.
    Respond,
    /// It has disconnected; its requests are cancelled.
    Gone,
}

impl Limits {
    /// The default.
    pub(crate) fn max_connections() -> usize {
        const MOST: usize = 100_000;
        usize::try_from(open_files::room_for_clients()).map_or(MOST, |room| room.min(MOST))
    }

    /// The default.
    pub(crate) fn max_backend_idle_connections() -> usize {
        const MOST: usize = 50_000;
        let room = open_files::room_for_idle_backends();
        usize::try_from(room).map_or(MOST, |room| room.min(MOST))
    }

    /// What hyper is told of the number of headers in HTTP/1: with a number other than its own it allocates
    /// for every message. Smaller ones are seen to by the proxy, as they are in HTTP/2.
    pub(crate) fn http1_max_headers(&self) -> Option<usize> {
        const OF_HYPER: usize = 100;
        (self.max_headers > OF_HYPER).then_some(self.max_headers)
    }

    /// What lets each of so many requests fill its own window.
    pub(crate) fn http2_connection_window(&self, streams: u32) -> u32 {
        /// RFC 9113, 6.9.1.
        const MAX: u32 = (1 << 31) - 1;
        self.http2_window.saturating_mul(streams).min(MAX)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: Self::max_connections(),
            header_timeout: Duration::from_secs(60),
            max_header_size: 64 * 1024,
            max_headers: 100,
            max_request_body: None,
            body_idle_timeout: Duration::from_secs(60),
            half_close: HalfClose::Respond,
            client_idle_timeout: Duration::from_secs(65 * 60),
            connect_timeout: Duration::from_secs(10),
            backend_idle_timeout: Duration::from_secs(90),
            backend_idle_connections: 512,
            max_backend_idle_connections: Self::max_backend_idle_connections(),
            http2_max_concurrent_streams: 250,
            http2_window: 64 * 1024,
            http2_max_pending_resets: 500,
            http2_max_error_resets: 256,
            http2_ping_interval: Duration::from_secs(30),
            http2_ping_timeout: Duration::from_secs(20),
            backend_max_streams: 100,
            backend_ping_interval: Duration::from_secs(300),
        }
    }
}
