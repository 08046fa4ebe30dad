//! How a client's connection ends.

use std::io;
use std::time::Duration;

/// How long a request whose head is on its way may take to begin once a drain has begun.
pub(super) const LAST_HEAD: Duration = Duration::from_millis(500);

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// In HTTP's own ways.
    Closed(hyper::Result<()>),
    /// In those of HTTP/2.
    Http2(Result<(), h2::Error>),
    /// The client has sent too many frames that cost something and bring nothing.
    Flooded,
    /// In those of the protocol that came after HTTP.
    Switched(io::Result<()>),
    /// The client has gone away.
    ClientGone,
    /// The client was too slow in sending a head.
    HeadTimeout,
    /// An answer was not to be finished.
    Cut,
    /// There was no agreement on TLS.
    NoTls(io::Error),
}
