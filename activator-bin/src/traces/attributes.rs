//! Names and attributes of spans, by OpenTelemetry's semantic conventions for HTTP. Values are cut when they are long.
//!
//! Neither queries nor headers other than Host and User-Agent are taken: there are secrets in them.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::Path;

use http::header::{HOST, USER_AGENT};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, StatusCode, Version};
use reporter_core::{Revision, RevisionKey};
use reporter_metrics::{ErrorReason, HttpVersion, Scheme};

use super::span::{Attribute, Value};
use crate::logging::line;
use crate::message::target::Target;

/// The longest value, in bytes.
const MAX_VALUE: usize = 1024;

/// The attribute for methods that HTTP does not define.
const OTHER: &str = "_OTHER";

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The client's IP address.
    pub(crate) address: &'a HeaderValue,
    pub(crate) scheme: Scheme,
}

/// Where a request is sent.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) address: SocketAddr,
    /// The unix socket that is meant instead of `address`.
    pub(crate) socket: Option<&'a Path>,
    pub(crate) scheme: Scheme,
}

/// The method as an attribute.
pub(super) fn method(method: &Method) -> &'static str {
    const KNOWN: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
        Method::CONNECT,
    ];
    const NAMES: [&str; KNOWN.len()] = [
        "GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT",
    ];
    let known = KNOWN.iter().position(|known| known == method);
    known.map_or(OTHER, |at| NAMES[at])
}

/// The name of the span of a request with this method.
pub(super) fn name(method: &'static str) -> &'static str {
    match method {
        OTHER => "HTTP",
        method => method,
    }
}

/// What is known of a request at its head.
pub(super) fn of_request<B>(
    request: &Request<B>,
    method: &'static str,
    client: Origin<'_>,
) -> Vec<Attribute> {
    // With room for what is known at its end.
    let mut all = Vec::with_capacity(18);
    add_method(&mut all, request, method);
    all.push(("url.scheme", client.scheme.as_str().into()));
    all.push(("url.path", cut(&path(request))));
    let authority = request.uri().authority().map(Authority::as_str);
    let host = || request.headers().get(HOST)?.to_str().ok();
    if let Some(host) = authority.or_else(host) {
        add_host(&mut all, host);
    }
    all.push(("client.address", cut(&text(client.address))));
    if let Some(agent) = request.headers().get(USER_AGENT) {
        all.push(("user_agent.original", cut(&text(agent))));
    }
    add_version(&mut all, request);
    all
}

/// What is known of a request when it is sent; `before` is how often it was sent before.
pub(super) fn of_attempt<B>(
    request: &Request<B>,
    method: &'static str,
    to: Destination<'_>,
    before: u16,
) -> Vec<Attribute> {
    let mut all = Vec::with_capacity(10);
    add_method(&mut all, request, method);
    let path = path(request);
    match to.socket {
        None => {
            all.push(("server.address", to.address.ip().to_string().into()));
            all.push(("server.port", to.address.port().into()));
            let url = format!("{}://{}{path}", to.scheme.as_str(), to.address);
            all.push(("url.full", cut(&url)));
        }
        Some(socket) => {
            all.push(("server.address", cut(&socket.to_string_lossy())));
            all.push(("network.transport", "unix".into()));
            all.push(("url.full", cut(&format!("http://localhost{path}"))));
        }
    }
    add_version(&mut all, request);
    if before > 0 {
        all.push(("http.request.resend_count", before.into()));
    }
    all
}

/// The revision of a request.
pub(super) fn add_revision(all: &mut Vec<Attribute>, key: &RevisionKey, revision: &Revision) {
    for (name, value) in [
        ("k8s.namespace.name", key.namespace()),
        ("kn.service.name", &*revision.service),
        ("kn.configuration.name", &*revision.configuration),
        ("kn.revision.name", key.name()),
    ] {
        if !value.is_empty() {
            all.push((name, cut(value)));
        }
    }
}

pub(super) fn add_status(all: &mut Vec<Attribute>, status: Option<StatusCode>) {
    if let Some(status) = status {
        all.push(("http.response.status_code", status.as_u16().into()));
    }
}

/// Adds what went wrong, if something did: `error`, or a status that is bad. Returns whether.
pub(super) fn add_error(
    all: &mut Vec<Attribute>,
    error: Option<ErrorReason>,
    status: Option<StatusCode>,
    is_bad: bool,
) -> bool {
    let what: Option<Value> = match (error, status) {
        (Some(reason), _) => Some(reason.as_str().into()),
        (None, Some(status)) if is_bad => Some(status.as_str().to_owned().into()),
        (None, _) => None,
    };
    let is_there = what.is_some();
    all.extend(what.map(|what| ("error.type", what)));
    is_there
}

fn add_method<B>(all: &mut Vec<Attribute>, request: &Request<B>, method: &'static str) {
    all.push(("http.request.method", method.into()));
    if method == OTHER {
        let original = cut(request.method().as_str());
        all.push(("http.request.method_original", original));
    }
}

fn add_version<B>(all: &mut Vec<Attribute>, request: &Request<B>) {
    let version = match request.version() {
        Version::HTTP_2 => HttpVersion::Http2,
        Version::HTTP_11 => HttpVersion::Http11,
        _ => HttpVersion::Http10,
    };
    all.push(("network.protocol.version", version.as_str().into()));
}

/// The path of a request, as it was sent.
fn path<B>(request: &Request<B>) -> Cow<'_, str> {
    match request.extensions().get::<Target>() {
        None => request.uri().path().into(),
        Some(odd) => {
            let path = odd.as_bytes().split(|byte| *byte == b'?').next();
            String::from_utf8_lossy(path.unwrap_or_default())
        }
    }
}

/// The host that a request is for, without its port.
fn add_host(all: &mut Vec<Attribute>, host: &str) {
    let Ok(authority) = host.parse::<Authority>() else {
        all.push(("server.address", cut(host)));
        return;
    };
    let name = authority.host();
    let bare = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    all.push(("server.address", cut(bare.unwrap_or(name))));
    if let Some(port) = authority.port_u16() {
        all.push(("server.port", port.into()));
    }
}

fn text(value: &HeaderValue) -> Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

fn cut(value: &str) -> Value {
    line::cut(value, MAX_VALUE).into_owned().into()
}
