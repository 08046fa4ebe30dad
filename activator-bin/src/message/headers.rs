//! The headers that matter to an activator, and how header values are parsed.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Names the namespace of the revision.
pub(crate) const NAMESPACE: HeaderName = HeaderName::from_static("knative-serving-namespace");
/// Names the revision within its namespace.
pub(crate) const REVISION: HeaderName = HeaderName::from_static("knative-serving-revision");
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const ORIGINAL_HOST: HeaderName = HeaderName::from_static("k-original-host");
pub(crate) const PROXY_REQUEST: HeaderName = HeaderName::from_static("k-proxy-request");
/// Tells a mesh that a request is for the instance it is sent to, whatever its Host.
pub(crate) const PASSTHROUGH_LB: HeaderName = HeaderName::from_static("k-passthrough-lb");

/// Headers that are never forwarded, besides those listed in `Connection`.
pub(crate) fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// The list elements in all values of `name`.
pub(crate) fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().flat_map(split)
}

/// The comma-separated elements of a value, trimmed.
pub(crate) fn split(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let parts = value.as_bytes().split(|&byte| byte == b',');
    parts.map(<[u8]>::trim_ascii)
}

/// Whether HTTP/1 would strip part of the value (RFC 9113, 8.2.1).
pub(crate) fn is_padded(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    [bytes.first(), bytes.last()]
        .iter()
        .any(|byte| matches!(byte, Some(b' ' | b'\t')))
}
