//! Names of headers that mean something to an activator, and how values are read.

use http::{HeaderMap, HeaderName, HeaderValue};

/// Names the namespace.
pub(crate) const NAMESPACE: HeaderName = HeaderName::from_static("knative-serving-namespace");
/// Names the revision within it.
pub(crate) const REVISION: HeaderName = HeaderName::from_static("knative-serving-revision");
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const ORIGINAL_HOST: HeaderName = HeaderName::from_static("k-original-host");
pub(crate) const PROXY_REQUEST: HeaderName = HeaderName::from_static("k-proxy-request");

/// What belongs to one connection and is never passed on, besides what `Connection` lists.
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

/// What the values of `name` list.
pub(crate) fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().flat_map(split)
}

/// What stands between the commas of a value, without the spaces around it.
pub(crate) fn split(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let parts = value.as_bytes().split(|&byte| byte == b',');
    parts.map(<[u8]>::trim_ascii)
}

/// Whether a reader of HTTP/1 would see less than there is (RFC 9113, 8.2.1).
pub(crate) fn is_padded(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    [bytes.first(), bytes.last()]
        .iter()
        .any(|byte| matches!(byte, Some(b' ' | b'\t')))
}
