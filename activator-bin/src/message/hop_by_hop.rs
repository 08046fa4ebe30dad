//! Removes the headers that belong to one connection and are not forwarded.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRAILER};
use http_body::Body;

use super::headers::is_hop_by_hop;
use super::{listed, trailers};

/// How the end of a body is marked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    Empty,
    /// By its length.
    Length,
    /// By chunks; trailers are possible.
    Chunked,
}

impl Framing {
    pub(crate) fn of(body: &impl Body) -> Self {
        match (body.is_end_stream(), body.size_hint().exact()) {
            (true, _) => Self::Empty,
            (false, Some(_)) => Self::Length,
            (false, None) => Self::Chunked,
        }
    }
}

/// Removes hop-by-hop headers. `Trailer` keeps only trailers that are forwarded.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap, framing: Framing) {
    listed::remove(headers);
    // One pass over the names present, instead of a lookup for each possible one.
    let names: Vec<_> = headers
        .keys()
        .filter(|name| is_hop_by_hop(name))
        .cloned()
        .collect();
    for name in names {
        headers.remove(name);
    }
    // Only announced trailers are sent, by hyper to clients as well.
    let trailers = match framing {
        Framing::Chunked => trailers::announced(headers),
        Framing::Empty | Framing::Length => None,
    };
    match trailers {
        Some(trailers) => drop(headers.insert(TRAILER, trailers)),
        None => drop(headers.remove(TRAILER)),
    }
}

/// Prepares the headers of an informational response for the client.
pub(crate) fn informational_to_client(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers, Framing::Empty);
    headers.remove(CONTENT_LENGTH);
}
