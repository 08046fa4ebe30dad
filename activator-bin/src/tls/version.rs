//! The supported versions of TLS.

use std::ops::RangeInclusive;

use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2, RFC 5246.
    V1_2,
    /// TLS 1.3, RFC 8446.
    V1_3,
}

impl TlsVersion {
    /// The versions in `range`. The newest is preferred, whatever their order.
    pub(super) fn within(range: &RangeInclusive<Self>) -> Vec<&'static SupportedProtocolVersion> {
        let all = [(Self::V1_2, &TLS12), (Self::V1_3, &TLS13)];
        all.into_iter()
            .filter(|(version, _)| range.contains(version))
            .map(|(_, supported)| supported)
            .collect()
    }
}
