//! The supported versions of TLS.

use rustls::version::TLS13;
use rustls::{ALL_VERSIONS, SupportedProtocolVersion};

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    V1_2,
    /// TLS 1.3, RFC 8446.
    V1_3,
}

static ONLY_1_3: [&SupportedProtocolVersion; 1] = [&TLS13];

impl TlsVersion {
    /// This version and later ones.
    pub(crate) fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::V1_2 => ALL_VERSIONS,
            Self::V1_3 => &ONLY_1_3,
        }
    }
}
