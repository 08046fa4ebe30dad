//! What the proxy changes in the heads of requests and responses.

use http::header::{CONTENT_LENGTH, COOKIE, HOST, TE, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version};
use http_body::Body;

use crate::message::headers::{
    FORWARDED_FOR, NAMESPACE, ORIGINAL_HOST, PASSTHROUGH_LB, PROXY_REQUEST, REVISION, tokens,
};
use crate::message::hop_by_hop::{Framing, remove_hop_by_hop};
use crate::upstream::backend::Backend;

/// Removes what backends believe only because Knative's ingress has said it.
pub(super) fn distrust(headers: &mut HeaderMap) {
    headers.remove(ORIGINAL_HOST);
}

/// Rewrites `request` for `backend` in HTTP version `version`, on behalf of `client`. It may keep the host that it is for,
/// instead of that of the backend.
pub(super) fn to_backend(
    request: &mut Request<impl Body>,
    version: Version,
    client: &HeaderValue,
    backend: &Backend,
    keeps_host: bool,
) {
    let framing = Framing::of(request.body());
    let length = request.body().size_hint().exact();
    // HTTP/2 has its own framing and its own place for the host.
    let is_http2 = version == Version::HTTP_2;
    if request.version() == Version::HTTP_2 && !is_http2 {
        join_cookies(request.headers_mut());
    }
    *request.version_mut() = version;
    let original_host = take_authority(request.uri_mut());
    let headers = request.headers_mut();
    let wants_trailers = tokens(headers, TE).any(|token| token.eq_ignore_ascii_case(b"trailers"));
    remove_hop_by_hop(headers, framing);
    if wants_trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if let (true, Some(length)) = (headers.contains_key(CONTENT_LENGTH), length) {
        // Normalized to a plain number.
        headers.insert(CONTENT_LENGTH, length.into());
    }
    if framing == Framing::Chunked && !is_http2 {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    headers.remove(NAMESPACE);
    headers.remove(REVISION);
    let host_header = headers.remove(HOST);
    if let Some(original) = original_host.or(host_header) {
        if keeps_host {
            headers.insert(HOST, original.clone());
        }
        if !headers.contains_key(ORIGINAL_HOST) {
            headers.insert(ORIGINAL_HOST, original);
        }
    }
    headers.insert(PROXY_REQUEST, HeaderValue::from_static("activator"));
    add_forwarded_for(headers, client);
    set_backend(request, backend, keeps_host);
}

/// Rewrites `request`, already rewritten for a backend over HTTP/2, for HTTP/1.1.
pub(super) fn to_http1(request: &mut Request<impl Body>, backend: &Backend, keeps_host: bool) {
    *request.version_mut() = Version::HTTP_11;
    if let Some(authority) = take_authority(request.uri_mut()) {
        request.headers_mut().insert(HOST, authority);
    }
    if Framing::of(request.body()) == Framing::Chunked {
        let chunked = HeaderValue::from_static("chunked");
        request.headers_mut().insert(TRANSFER_ENCODING, chunked);
    }
    join_cookies(request.headers_mut());
    set_backend(request, backend, keeps_host);
}

/// HTTP/2 allows several `cookie` fields, HTTP/1.1 only one (RFC 9113, 8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut parts = headers.get_all(COOKIE).iter();
    if let (Some(_), Some(_)) = (parts.next(), parts.next()) {
        let parts: Vec<_> = headers
            .get_all(COOKIE)
            .iter()
            .map(HeaderValue::as_bytes)
            .collect();
        let joined = HeaderValue::from_bytes(&parts.join(&b"; "[..]))
            .expect("header values joined by a semicolon are a header value");
        headers.insert(COOKIE, joined);
    }
}

/// Redirects `request`, already rewritten for some backend, to `backend`.
pub(super) fn set_backend(request: &mut Request<impl Body>, backend: &Backend, keeps_host: bool) {
    let kept = if keeps_host { kept_host(request) } else { None };
    let host = kept.as_ref().unwrap_or(&backend.host);
    if backend.has_other_name {
        let passthrough = HeaderValue::from_static("true");
        request.headers_mut().insert(PASSTHROUGH_LB, passthrough);
    }
    if request.version() != Version::HTTP_2 {
        request.headers_mut().insert(HOST, host.clone());
        return;
    }
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(if backend.endpoint.tls.is_some() {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    });
    // Fails only for the zone of an IPv6 address, which means nothing to another host.
    let authority = Authority::try_from(host.as_bytes());
    parts.authority = Some(authority.unwrap_or(Authority::from_static("localhost")));
    parts
        .path_and_query
        .get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).expect("no part is missing");
}

/// Takes the host out of a request that was rewritten for some backend. HTTP/1.0 may have none.
fn kept_host(request: &mut Request<impl Body>) -> Option<HeaderValue> {
    let authority = request.uri().authority();
    let authority = authority.and_then(|it| HeaderValue::try_from(it.as_str()).ok());
    authority.or_else(|| request.headers_mut().remove(HOST))
}

/// Rewrites `response` for the client.
pub(super) fn to_client(response: &mut Response<impl Body>) {
    let framing = Framing::of(response.body());
    let length = response.body().size_hint().exact();
    // The version towards an HTTP/2 client is not the backend's.
    *response.version_mut() = Version::HTTP_11;
    let headers = response.headers_mut();
    remove_hop_by_hop(headers, framing);
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next();
    let is_plain = |value: &HeaderValue| value.as_bytes().iter().all(u8::is_ascii_digit);
    // Only a single plain number has one meaning for everyone downstream.
    if first.is_some() && (!first.is_some_and(is_plain) || lengths.next().is_some()) {
        headers.remove(CONTENT_LENGTH);
        if let (Framing::Length, Some(length)) = (framing, length) {
            headers.insert(CONTENT_LENGTH, length.into());
        }
    }
    if framing == Framing::Chunked {
        headers.remove(CONTENT_LENGTH);
    }
}

/// Why the transfer coding of a body is not acceptable.
pub(super) enum Coding {
    /// Chunked within chunked, which is forbidden (RFC 9112, 6.1).
    ChunkedTwice,
    /// One that we cannot decode and must not pass on.
    Unknown,
}

/// Whether the transfer coding is anything other than a single `chunked`.
pub(super) fn bad_coding(headers: &HeaderMap) -> Option<Coding> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    match (codings.next(), codings.next()) {
        (None, _) => None,
        (Some(coding), None) if is_chunked(coding.as_bytes()) => None,
        _ => {
            if tokens(headers, TRANSFER_ENCODING).all(is_chunked) {
                Some(Coding::ChunkedTwice)
            } else {
                Some(Coding::Unknown)
            }
        }
    }
}

/// Reduces a request target to what an origin server gets. Returns the host it named.
fn take_authority(uri: &mut Uri) -> Option<HeaderValue> {
    uri.authority()?;
    let parts = std::mem::take(uri).into_parts();
    let path = parts.path_and_query;
    *uri = path
        .unwrap_or_else(|| PathAndQuery::from_static("/"))
        .into();
    HeaderValue::try_from(parts.authority?.as_str()).ok()
}

fn add_forwarded_for(headers: &mut HeaderMap, client: &HeaderValue) {
    let mut all = Vec::new();
    for earlier in headers.get_all(FORWARDED_FOR) {
        all.extend_from_slice(earlier.as_bytes());
        all.extend_from_slice(b", ");
    }
    let value = if all.is_empty() {
        client.clone()
    } else {
        all.extend_from_slice(client.as_bytes());
        HeaderValue::from_maybe_shared(bytes::Bytes::from(all))
            .expect("header values joined by a comma are a header value")
    };
    headers.insert(FORWARDED_FOR, value);
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http_body_util::Empty;

    use super::*;
    use crate::upstream::backend::{Endpoint, OverTls};

    /// The `Host` and the passthrough header of a request in this version, rewritten for this backend.
    fn names(
        version: Version,
        endpoint: Endpoint,
        name: Option<&'static str>,
        keeps_host: bool,
    ) -> [String; 2] {
        let backend = Backend::new(endpoint, name.map(HeaderValue::from_static));
        let request = Request::get("/path").header(HOST, "example.com");
        let mut request = request
            .body(Empty::<bytes::Bytes>::new())
            .expect("a valid request");
        let client = HeaderValue::from_static("192.0.2.1");
        to_backend(&mut request, version, &client, &backend, keeps_host);
        let text = |name| request.headers().get(name).map(HeaderValue::as_bytes);
        let original = text(ORIGINAL_HOST).expect("it is always there");
        assert_eq!(original, b"example.com");
        let host = match request.uri().authority() {
            Some(authority) => authority.as_str().as_bytes(),
            None => text(HOST).unwrap_or_default(),
        };
        let passthrough = text(PASSTHROUGH_LB).unwrap_or_default();
        [host, passthrough].map(|it| String::from_utf8_lossy(it).into_owned())
    }

    #[test]
    fn the_host_is_where_the_request_goes_or_what_a_mesh_finds_the_backend_by() {
        let address = SocketAddr::from(([10, 0, 0, 1], 8012));
        let plain = Endpoint {
            place: address.into(),
            tls: None,
        };
        let over = OverTls {
            address: SocketAddr::from(([10, 0, 0, 1], 8112)),
            namespace: "default".into(),
        };
        let secured = Endpoint {
            place: address.into(),
            tls: Some(over),
        };
        for version in [Version::HTTP_11, Version::HTTP_2] {
            for (endpoint, name, expected) in [
                (&plain, None, ["10.0.0.1:8012", ""]),
                (&secured, None, ["10.0.0.1:8112", ""]),
                (
                    &plain,
                    Some("hello-private.default"),
                    ["hello-private.default", "true"],
                ),
                (
                    &secured,
                    Some("hello-private.default"),
                    ["hello-private.default", "true"],
                ),
            ] {
                assert_eq!(names(version, endpoint.clone(), name, false), expected);
                let [kept, passthrough] = names(version, endpoint.clone(), name, true);
                assert_eq!([&*kept, &passthrough], ["example.com", expected[1]]);
            }
        }
    }

    #[test]
    fn a_host_that_is_kept_stays_the_same_on_every_way_to_a_backend() {
        let at = |port: u16| {
            let address = SocketAddr::from(([10, 0, 0, 1], port));
            Backend::new(
                Endpoint {
                    place: address.into(),
                    tls: None,
                },
                None,
            )
        };
        let (first, second) = (at(1), at(2));
        let client = HeaderValue::from_static("192.0.2.1");
        for (target, header, expected) in [
            ("/", Some("app.localhost:8012"), Some("app.localhost:8012")),
            (
                "http://app.localhost/",
                Some("other"),
                Some("app.localhost"),
            ),
            ("/", None, None),
        ] {
            let mut request = Request::get(target)
                .body(Empty::<bytes::Bytes>::new())
                .unwrap();
            if let Some(header) = header {
                let header = HeaderValue::from_static(header);
                request.headers_mut().insert(HOST, header);
            }
            let over_http2 = |request: &Request<_>| {
                let authority = request.uri().authority().unwrap().to_string();
                assert!(!request.headers().contains_key(HOST));
                authority
            };
            to_backend(&mut request, Version::HTTP_2, &client, &first, true);
            assert_eq!(over_http2(&request), expected.unwrap_or("10.0.0.1:1"));
            set_backend(&mut request, &second, true);
            let there = expected.unwrap_or("10.0.0.1:1");
            assert_eq!(over_http2(&request), there);
            to_http1(&mut request, &second, true);
            assert!(request.uri().authority().is_none());
            assert_eq!(request.headers()[HOST], there);
            set_backend(&mut request, &first, true);
            assert_eq!(request.headers()[HOST], there);
        }
    }
}
