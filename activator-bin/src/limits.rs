//! Bounds that protect the activator from its peers.

use std::time::Duration;

use crate::os::open_files;
use crate::settings::settings;

settings! {
    /// Bounds on what peers may take; the defaults suit production.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Limits in "limits." {
        /// The most client connections served at once.
        // A new one replaces the one that has been idle longest; while none is idle, one on each port of each worker
        // is accepted, and all others wait in the kernel's queues. The other half of the limit on open files is for
        // backends.
        max_connections: usize = found("half the limit on open files, 100000 at most", max_connections),
            whole(1..=10_000_000);
        /// How long a request's head may take to arrive; 408 after that.
        // Measured from accept for the first head, from its first byte for later ones.
        header_timeout: Duration = "1m", duration("100ms"..="1h");
        /// The largest head of a request, target included (431 beyond that), and of a response (502).
        // Over HTTP/1.1 up to five times as much of a body is buffered.
        max_header_size: usize = "64KiB", size("8KiB"..="8MiB");
        /// The most headers in a request (431 beyond that) and in a response (502).
        max_headers: usize = "100", whole(10..=10_000);
        /// The largest request body (413 beyond that); off for no limit.
        max_request_body: Option<u64> = "off", size_or_off("1"..="1024TiB");
        /// How long a client may make no progress: an HTTP/1 request body that stalls (408), or a response that is not
        /// read.
        // Over HTTP/2 this is per request. An HTTP/2 request body may stall: bidirectional streams do, and the
        // connection is pinged.
        body_idle_timeout: Duration = "1m", duration("100ms"..="24h");
        /// Whether an HTTP/1 client that closes its sending side after a request is served (respond) or counts as
        /// disconnected (gone).
        half_close: HalfClose = "respond",
            choice(&[("respond", HalfClose::Respond), ("gone", HalfClose::Gone)]);
        /// How long a client connection without requests is kept.
        // Give or take an eighth. Longer than the pools of ingresses keep theirs, so that they close first.
        client_idle_timeout: Duration = "65m", duration("1s"..="24h");
        /// How long connecting to a backend may take.
        connect_timeout: Duration = "10s", duration("10ms"..="10m");
        /// How long an idle backend connection is kept, to within five seconds.
        backend_idle_timeout: Duration = "90s", duration("1s"..="24h");
        /// The most idle connections kept per backend and worker.
        backend_idle_connections: usize = "512", whole(0..=100_000), or_variable("MAX_IDLE_PROXY_CONNS_PER_HOST");
        /// The most idle connections kept to all backends.
        // Over all workers; at least one per worker unless it is 0.
        max_backend_idle_connections: usize =
            found("a quarter of the limit on open files, 50000 at most", max_backend_idle_connections),
            whole(0..=10_000_000), or_variable("MAX_IDLE_PROXY_CONNS");
        /// The most concurrent requests on one HTTP/2 connection to a backend; the backend may allow fewer.
        backend_max_streams: u32 = "100", whole(1..=100_000);
        /// How often an HTTP/2 connection to a backend is pinged while requests are in flight on it.
        // gRPC servers do not tolerate pings more often than the default.
        backend_ping_interval: Duration = "5m", duration("100ms"..="24h");
        /// The most concurrent requests on one HTTP/2 connection from a client.
        http2_max_concurrent_streams: u32 = "250", whole(1..=100_000);
        /// The flow-control window of an HTTP/2 stream: how much of a body is buffered, per request and direction.
        // A request holds at most three times as much in all, plus 64 KiB if it may have to be sent again.
        http2_window: u32 = "64KiB", size("4KiB"..="64MiB");
        /// The most requests that an HTTP/2 client may cancel before they are accepted.
        http2_max_pending_resets: usize = "500", whole(1..=100_000);
        /// How many malformed or excess requests on an HTTP/2 connection are tolerated at once, with a hundred more
        /// every second.
        http2_max_error_resets: usize = "256", whole(1..=1_000_000);
        /// How long a client's HTTP/2 connection may be silent before it is pinged.
        http2_ping_interval: Duration = "30s", duration("100ms"..="24h");
        /// How long a client or backend may take to acknowledge a ping.
        http2_ping_timeout: Duration = "20s", duration("100ms"..="1h");
    }
}

/// What it means when a client closes its side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HalfClose {
    /// It sends nothing more; the requests it has sent are served.
    Respond,
    /// It has disconnected; its requests are cancelled.
    Gone,
}

impl Limits {
    /// The header limit for HTTP/1, also passed to hyper. `None` below hyper's default, since any other limit makes it
    /// allocate for every message; the proxy enforces smaller limits, as it does for HTTP/2.
    pub(crate) fn http1_max_headers(&self) -> Option<usize> {
        const HYPER_DEFAULT: usize = 100;
        (self.max_headers > HYPER_DEFAULT).then_some(self.max_headers)
    }

    /// A connection window that lets each of `streams` requests fill its own.
    pub(crate) fn http2_connection_window(&self, streams: u32) -> u32 {
        /// RFC 9113, 6.9.1.
        const MAX: u32 = (1 << 31) - 1;
        self.http2_window.saturating_mul(streams).min(MAX)
    }
}

fn max_connections() -> usize {
    const MAX: usize = 100_000;
    usize::try_from(open_files::room_for_clients()).map_or(MAX, |room| room.min(MAX))
}

fn max_backend_idle_connections() -> usize {
    const MAX: usize = 50_000;
    let room = open_files::room_for_idle_backends();
    usize::try_from(room).map_or(MAX, |room| room.min(MAX))
}
