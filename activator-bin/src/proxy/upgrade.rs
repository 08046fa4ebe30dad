//! Protocol upgrades: which offers are forwarded, and which responses accept them.
//!
//! What must not live here: what is sent after the switch.

use http::header::{CONNECTION, CONTENT_LENGTH, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version};
use http_body::Body;

use super::rewrite;
use crate::message::headers::{split, tokens};

/// The most protocols that a backend may switch to at once, layered on one another.
const MOST_CHOSEN: usize = 8;

/// The protocols that a client offers to switch to.
pub(super) struct Offer(HeaderValue);

impl Offer {
    /// The part of the client's offer that can be forwarded.
    ///
    /// HTTP/1.0 has no offers. An offer beside a body is not forwarded: a backend that does not switch may leave the
    /// body unread. Neither is `h2c`, which RFC 9113 deprecates: the backend would owe its first response in HTTP/2.
    /// Offers may always be ignored (RFC 9110, 7.8); such a request is served over HTTP/1.1.
    pub(super) fn of(request: &Request<impl Body>) -> Option<Self> {
        let headers = request.headers();
        if !headers.contains_key(UPGRADE) || request.version() != Version::HTTP_11 {
            return None;
        }
        if !request.body().is_end_stream() {
            return None;
        }
        let is_listed = |token: &[u8]| token.eq_ignore_ascii_case(b"upgrade");
        if !tokens(headers, CONNECTION).any(is_listed) {
            return None;
        }
        let protocols: Vec<&[u8]> = tokens(headers, UPGRADE)
            .filter(|protocol| !protocol.is_empty() && !protocol.eq_ignore_ascii_case(b"h2c"))
            .collect();
        if protocols.is_empty() {
            return None;
        }
        let joined = HeaderValue::from_bytes(&protocols.join(&b", "[..]));
        Some(Self(joined.expect(
            "parts of header values joined by a comma are a header value",
        )))
    }

    /// Adds the offer to a request that is otherwise ready for the backend.
    pub(super) fn to_backend(&self, headers: &mut HeaderMap) {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, self.0.clone());
    }

    /// Whether every protocol in a backend's switch was offered.
    pub(super) fn covers(&self, headers: &HeaderMap) -> bool {
        let is_offered =
            |chosen: &[u8]| split(&self.0).any(|offered| offered.eq_ignore_ascii_case(chosen));
        let mut chosen = tokens(headers, UPGRADE);
        headers.contains_key(UPGRADE)
            && chosen.by_ref().take(MOST_CHOSEN).all(is_offered)
            && chosen.next().is_none()
    }
}

pub(super) fn is_switch(response: &Response<impl Body>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS
}

/// Rewrites a `response` that switches protocols for the client.
pub(super) fn to_client(response: &mut Response<impl Body>) {
    let protocol = response.headers_mut().remove(UPGRADE);
    rewrite::to_client(response);
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Some(protocol) = protocol {
        headers.insert(UPGRADE, protocol);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_offer_covers_a_switch_to_too_many_protocols() {
        let check = |chosen: &[&str], is_covered| {
            let offer = Offer(HeaderValue::from_static("a, b, c"));
            let chosen = chosen.join(", ").parse().unwrap();
            let headers = HeaderMap::from_iter([(UPGRADE, chosen)]);
            assert_eq!(offer.covers(&headers), is_covered);
        };
        check(&["b"], true);
        check(&["A", "c"], true);
        check(&["d"], false);
        check(&["a"; MOST_CHOSEN], true);
        check(&["a"; MOST_CHOSEN + 1], false);
        assert!(!Offer(HeaderValue::from_static("a")).covers(&HeaderMap::new()));
    }
}
