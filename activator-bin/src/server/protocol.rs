//! Which version of HTTP a client speaks.

use crate::tls::ALPN_HTTP2;

/// What each HTTP/2 connection begins with (RFC 9113, 3.4).
pub(super) const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientProtocol {
    /// Either of the others; the first bytes tell.
    Detect,
    Http1,
    Http2,
}

impl ClientProtocol {
    /// The one that was agreed on in TLS, as ALPN calls it.
    pub(super) fn agreed(name: Option<&[u8]>) -> Self {
        match name {
            Some(name) if name == ALPN_HTTP2 => Self::Http2,
            Some(_) => Self::Http1,
            None => Self::Detect,
        }
    }
}
