//! The settings of `[limits]`, what peers may take: each is named like its field in `Limits`.

use super::setting::Default::{Found, Is};
use super::setting::{Setting, set};
use super::{Config, HalfClose, Limits};

pub(super) const MAX_CONNECTIONS: Setting<Config> = Setting::new(
    "limits.max_connections",
    Found("half the limit on open files, 100000 at most", || {
        Limits::max_connections().to_string()
    }),
    "The most client connections served at once",
    |config, value| {
        set(
            &mut config.limits.max_connections,
            value.whole(1..=10_000_000),
        )
    },
);

pub(super) const HEADER_TIMEOUT: Setting<Config> = Setting::new(
    "limits.header_timeout",
    Is("1m"),
    "How long a request's head may take to arrive; 408 after that",
    |config, value| {
        set(
            &mut config.limits.header_timeout,
            value.duration("100ms"..="1h"),
        )
    },
);

pub(super) const MAX_HEADER_SIZE: Setting<Config> = Setting::new(
    "limits.max_header_size",
    Is("64KiB"),
    "The longest head of a request, its target included (431 beyond it), or of a response (502)",
    |config, value| {
        set(
            &mut config.limits.max_header_size,
            value.size("8KiB"..="8MiB"),
        )
    },
);

pub(super) const MAX_HEADERS: Setting<Config> = Setting::new(
    "limits.max_headers",
    Is("100"),
    "The most headers of a request (431 beyond it) or of a response (502)",
    |config, value| set(&mut config.limits.max_headers, value.whole(10..=10_000)),
);

pub(super) const MAX_REQUEST_BODY: Setting<Config> = Setting::new(
    "limits.max_request_body",
    Is("off"),
    "The largest request body, 413 beyond it; off for no limit",
    |config, value| {
        set(
            &mut config.limits.max_request_body,
            value.size_or_off("1"..="1024TiB"),
        )
    },
);

pub(super) const BODY_IDLE_TIMEOUT: Setting<Config> = Setting::new(
    "limits.body_idle_timeout",
    Is("1m"),
    "How long a client may make no progress: an HTTP/1 request body that stalls (408), or a response that is not read",
    |config, value| {
        set(
            &mut config.limits.body_idle_timeout,
            value.duration("100ms"..="24h"),
        )
    },
);

pub(super) const HALF_CLOSE: Setting<Config> = Setting::new(
    "limits.half_close",
    Is("respond"),
    "A client that closes its side of an HTTP/1 connection behind its request: respond serves it, gone cancels it",
    |config, value| set(&mut config.limits.half_close, value.choice(HALF_CLOSES)),
);

const HALF_CLOSES: &[(&str, HalfClose)] =
    &[("respond", HalfClose::Respond), ("gone", HalfClose::Gone)];

pub(super) const CLIENT_IDLE_TIMEOUT: Setting<Config> = Setting::new(
    "limits.client_idle_timeout",
    Is("65m"),
    "How long a client connection without requests is kept",
    |config, value| {
        set(
            &mut config.limits.client_idle_timeout,
            value.duration("1s"..="24h"),
        )
    },
);

pub(super) const CONNECT_TIMEOUT: Setting<Config> = Setting::new(
    "limits.connect_timeout",
    Is("10s"),
    "How long connecting to a backend may take",
    |config, value| {
        set(
            &mut config.limits.connect_timeout,
            value.duration("10ms"..="10m"),
        )
    },
);

pub(super) const BACKEND_IDLE_TIMEOUT: Setting<Config> = Setting::new(
    "limits.backend_idle_timeout",
    Is("90s"),
    "How long an idle backend connection is kept, within five seconds",
    |config, value| {
        set(
            &mut config.limits.backend_idle_timeout,
            value.duration("1s"..="24h"),
        )
    },
);

pub(super) const BACKEND_IDLE_CONNECTIONS: Setting<Config> = Setting::new(
    "limits.backend_idle_connections",
    Is("512"),
    "The most idle connections kept per backend and worker",
    |config, value| {
        set(
            &mut config.limits.backend_idle_connections,
            value.whole(0..=100_000),
        )
    },
);

pub(super) const MAX_BACKEND_IDLE_CONNECTIONS: Setting<Config> = Setting::new(
    "limits.max_backend_idle_connections",
    Found(
        "a quarter of the limit on open files, 50000 at most",
        || Limits::max_backend_idle_connections().to_string(),
    ),
    "The most idle connections kept to all backends",
    |config, value| {
        set(
            &mut config.limits.max_backend_idle_connections,
            value.whole(0..=10_000_000),
        )
    },
);

pub(super) const BACKEND_MAX_STREAMS: Setting<Config> = Setting::new(
    "limits.backend_max_streams",
    Is("100"),
    "The most concurrent requests on one HTTP/2 connection to a backend; the backend may allow fewer",
    |config, value| {
        set(
            &mut config.limits.backend_max_streams,
            value.whole(1..=100_000),
        )
    },
);

pub(super) const BACKEND_PING_INTERVAL: Setting<Config> = Setting::new(
    "limits.backend_ping_interval",
    Is("5m"),
    "How often an HTTP/2 connection to a backend is pinged while requests are in flight on it",
    |config, value| {
        set(
            &mut config.limits.backend_ping_interval,
            value.duration("100ms"..="24h"),
        )
    },
);

pub(super) const HTTP2_MAX_CONCURRENT_STREAMS: Setting<Config> = Setting::new(
    "limits.http2_max_concurrent_streams",
    Is("250"),
    "The most concurrent requests on one HTTP/2 connection of a client",
    |config, value| {
        set(
            &mut config.limits.http2_max_concurrent_streams,
            value.whole(1..=100_000),
        )
    },
);

pub(super) const HTTP2_WINDOW: Setting<Config> = Setting::new(
    "limits.http2_window",
    Is("64KiB"),
    "The flow-control window of an HTTP/2 stream: how much of a body is buffered, per request and direction",
    |config, value| {
        set(
            &mut config.limits.http2_window,
            value.size("4KiB"..="64MiB"),
        )
    },
);

pub(super) const HTTP2_MAX_PENDING_RESETS: Setting<Config> = Setting::new(
    "limits.http2_max_pending_resets",
    Is("500"),
    "The most requests that a client may take back before they were looked at",
    |config, value| {
        set(
            &mut config.limits.http2_max_pending_resets,
            value.whole(1..=100_000),
        )
    },
);

pub(super) const HTTP2_MAX_ERROR_RESETS: Setting<Config> = Setting::new(
    "limits.http2_max_error_resets",
    Is("256"),
    "The most requests on an HTTP/2 connection that are malformed, or more than may be under way, at once; a hundred more are forgiven every second",
    |config, value| {
        set(
            &mut config.limits.http2_max_error_resets,
            value.whole(1..=1_000_000),
        )
    },
);

pub(super) const HTTP2_PING_INTERVAL: Setting<Config> = Setting::new(
    "limits.http2_ping_interval",
    Is("30s"),
    "How long an HTTP/2 connection of a client may be silent before it is pinged",
    |config, value| {
        set(
            &mut config.limits.http2_ping_interval,
            value.duration("100ms"..="24h"),
        )
    },
);

pub(super) const HTTP2_PING_TIMEOUT: Setting<Config> = Setting::new(
    "limits.http2_ping_timeout",
    Is("20s"),
    "How long a client or backend may take to acknowledge a ping",
    |config, value| {
        set(
            &mut config.limits.http2_ping_timeout,
            value.duration("100ms"..="1h"),
        )
    },
);
