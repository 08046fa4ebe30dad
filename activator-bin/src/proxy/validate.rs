//! Refuses requests that are too large or that different recipients could read differently.
//!
//! What hyper's parser refuses never gets here. A refusal also closes the connection.

use http::header::HOST;
use http::{HeaderMap, HeaderName, Method, Request, Version};
use http_body::Body;
use reporter_metrics::ErrorReason;

use super::refusal::Refusal;
use super::rewrite::{Coding, bad_coding};
use crate::limits::Limits;
use crate::message::headers::{NAMESPACE, ORIGINAL_HOST, REVISION, is_padded};

/// Headers of which one recipient may use the first, another the last.
const SINGLE: [HeaderName; 4] = [HOST, NAMESPACE, REVISION, ORIGINAL_HOST];

/// Refuses requests that exceed a limit or cannot be forwarded without changing their meaning.
pub(super) fn check(request: &Request<impl Body>, limits: &Limits) -> Result<(), Refusal> {
    let (headers, most) = (request.headers().len(), limits.max_headers);
    if headers > most {
        let why = format_args!("the request has {headers} headers; the limit is {most}");
        return Err(Refusal::new(ErrorReason::HeaderTooLarge, why));
    }
    if request.version() == Version::HTTP_2 && head_size(request) > limits.max_header_size {
        let most = limits.max_header_size;
        let why = format_args!("the request head is larger than {most} bytes");
        return Err(Refusal::new(ErrorReason::HeaderTooLarge, why));
    }
    if request.method() == Method::CONNECT {
        let why = "CONNECT is not supported";
        return Err(Refusal::new(ErrorReason::Connect, why));
    }
    match bad_coding(request.headers()) {
        None => {}
        Some(Coding::ChunkedTwice) => {
            let why = "the request lists the transfer coding chunked twice";
            return Err(Refusal::new(ErrorReason::BadRequest, why));
        }
        Some(Coding::Unknown) => {
            let why = "chunked is the only supported transfer coding";
            return Err(Refusal::new(ErrorReason::NotSupported, why));
        }
    }
    if let Some(why) = find_ambiguity(request) {
        return Err(Refusal::new(ErrorReason::BadRequest, why));
    }
    match limits.max_request_body {
        Some(most) if request.body().size_hint().lower() > most => Err(body_too_large(most)),
        _ => Ok(()),
    }
}

/// The size of an HTTP/2 head (RFC 9113, 6.5.2). HTTP/1 heads are bounded where they are read.
fn head_size<B>(request: &Request<B>) -> usize {
    /// The fixed overhead of each field.
    const FIELD: usize = 32;
    let uri = request.uri();
    let pseudo = [
        (":method", Some(request.method().as_str())),
        (":scheme", uri.scheme_str()),
        (":authority", uri.authority().map(|it| it.as_str())),
        (":path", uri.path_and_query().map(|it| it.as_str())),
    ];
    let headers = request.headers().iter();
    pseudo
        .iter()
        .filter_map(|(name, value)| Some(name.len() + (*value)?.len()))
        .chain(headers.map(|(name, value)| name.as_str().len() + value.len()))
        .map(|size| size + FIELD)
        .sum()
}

/// Also used when the limit is exceeded only while the body is read.
pub(super) fn body_too_large(most: u64) -> Refusal {
    let why = format_args!("the request body is larger than {most} bytes");
    Refusal::new(ErrorReason::BodyTooLarge, why)
}

fn find_ambiguity<B>(request: &Request<B>) -> Option<String> {
    let headers = request.headers();
    let is_any_twice = headers.keys_len() < headers.len();
    let is_twice = |name: &&HeaderName| is_any_twice && count(headers, name) > 1;
    if let Some(name) = SINGLE.iter().find(is_twice) {
        let count = count(headers, name);
        return Some(format!(
            "the request has {count} {name} headers instead of one"
        ));
    }
    let host = headers.get(HOST);
    let may_have_none = match request.version() {
        Version::HTTP_11 => false,
        Version::HTTP_2 => request.uri().authority().is_some(),
        _ => true,
    };
    // RFC 9112, 3.2: only HTTP/1.0 allows a missing Host. In HTTP/2 `:authority` takes its place.
    if host.is_none() && !may_have_none {
        return Some("the request has no host header".to_owned());
    }
    if !host.is_none_or(|host| is_host(host.as_bytes())) {
        return Some("the host header is not a valid host[:port]".to_owned());
    }
    let uri = request.uri();
    let authority = uri
        .authority()
        .map(|authority| authority.as_str().as_bytes());
    if !authority.is_none_or(is_host) {
        return Some("the authority is not a valid host[:port]".to_owned());
    }
    let is_http2 = request.version() == Version::HTTP_2;
    // In HTTP/1 the authority overrides the header (RFC 9112, 3.2.2).
    if is_http2 && let (Some(authority), Some(host)) = (authority, host) {
        let port = match uri.scheme_str() {
            Some("https") => ":443",
            _ => ":80",
        };
        let (host, authority) = (bare(host.as_bytes(), port), bare(authority, port));
        if !host.eq_ignore_ascii_case(authority) {
            return Some("the host header and the authority differ".to_owned());
        }
    }
    // HTTP/1 strips the whitespace around values itself.
    if is_http2 && headers.values().any(is_padded) {
        return Some("the value of a header begins or ends with a space".to_owned());
    }
    let target = uri.path_and_query().map_or("", |path| path.as_str());
    let is_whole = !is_http2 && uri.scheme().is_some() && authority.is_some();
    let is_asterisk = target == "*" && request.method() == Method::OPTIONS;
    if !is_whole && !target.starts_with('/') && !is_asterisk {
        return Some("the request target is neither a path nor a URI".to_owned());
    }
    None
}

fn count(headers: &HeaderMap, name: &HeaderName) -> usize {
    headers.get_all(name).iter().count()
}

/// Whether all bytes may occur in a host or port (RFC 3986, 3.2.2 and 3.2.3). Userinfo is not allowed.
fn is_host(bytes: &[u8]) -> bool {
    let mark = |byte| b"-._~!$&'()*+;=%:[]".contains(byte);
    bytes
        .iter()
        .all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
}

/// Strips the default port of the scheme (RFC 3986, 6.2.3).
fn bare<'a>(host: &'a [u8], port: &str) -> &'a [u8] {
    let bare = host.strip_suffix(port.as_bytes());
    bare.or(host.strip_suffix(b":")).unwrap_or(host)
}
