//! What is known of a request, for its line.

use std::fmt::Display;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};

use super::needs::{HeaderNeeds, Needs};
use crate::logging::line;
use crate::message::target::Target;

/// The longest value that is taken from a request, in bytes.
const MAX_VALUE: usize = 4096;

/// What is known of a request. What the template does not need is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Entry {
    pub(super) method: Method,
    pub(super) version: Version,
    /// The request target as it was sent.
    pub(super) target: String,
    pub(super) host: String,
    /// The client's address and port.
    pub(super) remote_address: String,
    /// The length of the request's body; -1 if it is not known.
    pub(super) content_length: i64,
    pub(super) headers: Headers,
    pub(super) trace_id: String,
    /// The context of its trace (W3C Trace Context).
    pub(super) traceparent: String,
    pub(crate) response: ResponseEntry,
    pub(crate) revision: RevisionEntry,
}

/// The part of an entry that is known at the end of the request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ResponseEntry {
    /// The status.
    pub(crate) code: u16,
    /// Why the request failed, was refused or was cut short, as in the metrics.
    pub(crate) error: Option<&'static str>,
    /// The bytes sent of its body.
    pub(crate) size: u64,
    pub(crate) latency: Duration,
    /// How long it has waited for capacity.
    pub(crate) queued: Duration,
    /// The backend that it was sent to last; empty if it was not.
    pub(crate) backend: String,
}

/// The part of an entry that is known once the revision was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RevisionEntry {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) service: String,
    pub(crate) configuration: String,
}

/// Headers by name, as Go spells it, in order of names. Each has a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers(Vec<(String, Vec<String>)>);

impl Headers {
    /// All values of the header with exactly this name.
    pub(super) fn get(&self, name: &str) -> &[String] {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map_or(&[], |(_, values)| values)
    }

    /// The first value of the header with this name, in any case.
    pub(super) fn first(&self, name: &str) -> Option<&str> {
        let is_named = |(key, _): &&(String, _)| key.eq_ignore_ascii_case(name);
        let (_, values) = self.0.iter().find(is_named)?;
        values.first().map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        let all = self.0.iter();
        all.map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn new(needs: &HeaderNeeds, headers: &HeaderMap) -> Self {
        let values = |name: &HeaderName| {
            let values = headers.get_all(name).iter();
            values.map(|value| cut(&String::from_utf8_lossy(value.as_bytes())))
        };
        let entry = |name: &HeaderName| {
            let values: Vec<String> = values(name).collect();
            let is_there = !values.is_empty() && !is_taken(name);
            is_there.then(|| (spelled(name), values))
        };
        let mut all: Vec<_> = match needs {
            HeaderNeeds::All => headers.keys().filter_map(entry).collect(),
            HeaderNeeds::Named(names) => names.iter().filter_map(entry).collect(),
        };
        all.sort();
        Self(all)
    }
}

/// Whether Go takes the header out of the others.
fn is_taken(name: &HeaderName) -> bool {
    [header::HOST, header::TRANSFER_ENCODING, header::TRAILER].contains(name)
}

/// The name as Go spells it: `X-B3-Traceid`.
fn spelled(name: &HeaderName) -> String {
    let mut is_start = true;
    let spell = |char: char| {
        let start = std::mem::replace(&mut is_start, char == '-');
        if start {
            char.to_ascii_uppercase()
        } else {
            char
        }
    };
    name.as_str().chars().map(spell).collect()
}

impl Entry {
    /// Takes what is needed from a request as its client has sent it. `content_length` is `None` if the length of its
    /// body is not known.
    pub(super) fn new<B>(
        needs: &Needs,
        request: &Request<B>,
        content_length: Option<u64>,
        remote_address: impl FnOnce() -> String,
    ) -> Self {
        let headers = request.headers();
        let target = needs.target.then(|| cut(&target(request)));
        let host = needs.host.then(|| host(request)).flatten();
        let trace_id = needs.trace_id.then(|| trace_id(headers)).flatten();
        let traceparent = needs.traceparent.then(|| headers.get("traceparent"));
        let text = |value: &HeaderValue| cut(&String::from_utf8_lossy(value.as_bytes()));
        Self {
            method: request.method().clone(),
            version: request.version(),
            target: target.unwrap_or_default(),
            host: host.unwrap_or_default(),
            remote_address: needs
                .remote_address
                .then(remote_address)
                .unwrap_or_default(),
            content_length: content_length.map_or(-1, |it| it.try_into().unwrap_or(i64::MAX)),
            headers: Headers::new(&needs.headers, headers),
            trace_id: trace_id.unwrap_or_default(),
            traceparent: traceparent.flatten().map(text).unwrap_or_default(),
            response: ResponseEntry::default(),
            revision: RevisionEntry::default(),
        }
    }

    /// Sets the trace, as far as it is needed.
    pub(super) fn set_trace(&mut self, needs: &Needs, id: impl Display, parent: impl Display) {
        if needs.trace_id {
            self.trace_id = id.to_string();
        }
        if needs.traceparent {
            self.traceparent = parent.to_string();
        }
    }

    /// The version as in a request line.
    pub(super) fn protocol(&self) -> &'static str {
        match self.version {
            Version::HTTP_2 => "HTTP/2.0",
            Version::HTTP_11 => "HTTP/1.1",
            _ => "HTTP/1.0",
        }
    }
}

/// The request target as it was sent.
fn target<B>(request: &Request<B>) -> String {
    let uri = request.uri();
    let Some(path) = uri.path_and_query() else {
        return uri.to_string();
    };
    let odd = request.extensions().get::<Target>();
    let path = odd.map_or(path.as_str().as_bytes(), Target::as_bytes);
    let path = String::from_utf8_lossy(path);
    match (uri.scheme_str(), uri.authority()) {
        // Over HTTP/2 they are not a part of it.
        (Some(scheme), Some(authority)) if request.version() < Version::HTTP_2 => {
            format!("{scheme}://{authority}{path}")
        }
        _ => path.into_owned(),
    }
}

/// The host that a request is for.
fn host<B>(request: &Request<B>) -> Option<String> {
    if let Some(authority) = request.uri().authority() {
        return Some(cut(authority.as_str()));
    }
    let host = request.headers().get(header::HOST)?;
    Some(cut(&String::from_utf8_lossy(host.as_bytes())))
}

/// The trace that a request belongs to, by its `traceparent` (W3C Trace Context).
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let parent = headers.get("traceparent")?.to_str().ok()?;
    let mut parts = parent.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_id = |id: &str, length| id.len() == length && is_hex(id) && id.contains(|it| it != '0');
    let is_version = version.len() == 2 && is_hex(version) && version != "ff";
    let is_valid = is_version && is_id(trace, 32) && is_id(span, 16) && parts.next().is_some();
    is_valid.then(|| trace.to_owned())
}

/// The value, cut if it is too long.
fn cut(value: &str) -> String {
    line::cut(value, MAX_VALUE).into_owned()
}
