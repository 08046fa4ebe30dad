//! How a client connection ends.

use std::io;
use std::time::Duration;

/// How long a request head that is still arriving may take once a drain has begun.
pub(super) const LAST_HEAD: Duration = Duration::from_millis(500);

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// HTTP/1 ended.
    Closed(hyper::Result<()>),
    /// HTTP/2 ended.
    Http2(Result<(), h2::Error>),
    /// The client has sent too many useless frames.
    Flooded,
    /// The upgraded protocol ended.
    Switched(io::Result<()>),
    /// The client has disconnected.
    ClientGone,
    /// A request head took too long.
    HeadTimeout,
    /// A response was cut short.
    Cut,
    /// The TLS handshake failed.
    NoTls(io::Error),
}
