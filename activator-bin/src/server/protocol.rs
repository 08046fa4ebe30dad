//! A client's version of HTTP.

use crate::tls::ALPN_HTTP2;

/// The connection preface of HTTP/2 (RFC 9113, 3.4).
pub(super) const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A client's version of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClientProtocol {
    /// To be detected by the first bytes.
    Detect,
    Http1,
    Http2,
}

impl ClientProtocol {
    /// The one that ALPN selected.
    pub(super) fn agreed(name: Option<&[u8]>) -> Self {
        match name {
            Some(name) if name == ALPN_HTTP2 => Self::Http2,
            Some(_) => Self::Http1,
            None => Self::Detect,
        }
    }
}
