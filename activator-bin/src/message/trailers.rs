//! Which trailers are forwarded: none that would be misread if a recipient merged them into the headers.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;
use thiserror::Error;

use super::headers::{
    FORWARDED_FOR, NAMESPACE, ORIGINAL_HOST, PROXY_REQUEST, REVISION, is_hop_by_hop, is_padded,
    tokens,
};

/// Not forwarded, besides hop-by-hop names.
const KEPT_OUT: [HeaderName; 8] = [
    TRAILER,
    CONTENT_LENGTH,
    HOST,
    NAMESPACE,
    REVISION,
    FORWARDED_FOR,
    ORIGINAL_HOST,
    PROXY_REQUEST,
];

/// More names than this are not announced. Each costs a lookup on the way, and messages rarely have more than two.
const MOST_ANNOUNCED: usize = 1_000;

/// The value of a trailer begins or ends with a space.
#[derive(Debug, Error)]
#[error("the value of a trailer begins or ends with a space")]
pub(crate) struct Padded;

fn passes(name: &HeaderName) -> bool {
    !KEPT_OUT.contains(name) && !is_hop_by_hop(name)
}

/// The announced trailers that are forwarded.
pub(crate) fn announced(headers: &HeaderMap) -> Option<HeaderValue> {
    let may_pass = |name: &&[u8]| HeaderName::from_bytes(name).is_ok_and(|name| passes(&name));
    let names: Vec<_> = tokens(headers, TRAILER)
        .take(MOST_ANNOUNCED)
        .filter(may_pass)
        .collect();
    let joined = HeaderValue::from_bytes(&names.join(&b", "[..])).ok()?;
    (!joined.is_empty()).then_some(joined)
}

/// Removes trailers that are not forwarded.
pub(crate) fn clean(frame: &mut Frame<Bytes>) {
    if let Some(trailers) = frame.trailers_mut() {
        let dropped: Vec<_> = trailers
            .keys()
            .filter(|name| !passes(name))
            .cloned()
            .collect();
        for name in dropped {
            trailers.remove(name);
        }
    }
}

/// Prepares a frame of a request body for the backend.
pub(crate) fn to_backend(mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, Padded> {
    clean(&mut frame);
    match frame.trailers_ref() {
        Some(trailers) if trailers.values().any(is_padded) => Err(Padded),
        _ => Ok(frame),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bounded_number_of_trailers_is_announced() {
        let list = "a,".repeat(30_000);
        let headers = HeaderMap::from_iter([(TRAILER, list.parse().unwrap())]);
        let names = announced(&headers).unwrap();
        assert_eq!(super::super::headers::split(&names).count(), MOST_ANNOUNCED);
    }
}
