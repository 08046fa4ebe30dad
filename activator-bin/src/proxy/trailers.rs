//! Which trailers pass: none that is taken for something else by a reader who puts them among the headers.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use thiserror::Error;

use super::check::is_padded;
use super::headers::{FORWARDED_FOR, HOP_BY_HOP, ORIGINAL_HOST, PROXY_REQUEST, tokens};
use crate::revision::name::{NAMESPACE, REVISION};

/// Besides what belongs to one connection.
const KEPT_OUT: [HeaderName; 8] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    NAMESPACE,
    REVISION,
    FORWARDED_FOR,
    ORIGINAL_HOST,
    PROXY_REQUEST,
];

/// The value of a trailer begins or ends with a space.
#[derive(Debug, Error)]
#[error("the value of a trailer begins or ends with a space")]
pub(crate) struct Padded;

/// The announced trailers that pass.
pub(super) fn announced(headers: &HeaderMap) -> Option<HeaderValue> {
    let may_pass = |name: &&[u8]| {
        HeaderName::from_bytes(name)
            .is_ok_and(|name| !KEPT_OUT.contains(&name) && !HOP_BY_HOP.contains(&name))
    };
    let names: Vec<_> = tokens(headers, TRAILER).filter(may_pass).collect();
    let names = HeaderValue::from_bytes(&names.join(&b", "[..])).ok();
    names.filter(|names| !names.is_empty())
}

/// Makes a part of a request's body one that goes to the backend.
pub(crate) fn to_backend(mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, Padded> {
    if let Some(trailers) = frame.trailers_mut() {
        for name in KEPT_OUT.iter().chain(&HOP_BY_HOP) {
            trailers.remove(name);
        }
        if trailers.values().any(is_padded) {
            return Err(Padded);
        }
    }
    Ok(frame)
}
