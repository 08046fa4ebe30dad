//! What belongs to one connection, and is not passed on.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, TRAILER};
use http_body::Body;

use super::headers::is_hop_by_hop;
use super::{listed, trailers};

/// How the end of a message's body is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is no body.
    Empty,
    /// The length is known.
    Length,
    /// It isn't; trailers are possible.
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

/// Removes what belongs to one connection; only trailers that pass are announced.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap, framing: Framing) {
    listed::remove(headers);
    // One look at the few names that are there, instead of one for each that might be.
    let names = headers.keys().filter(|name| is_hop_by_hop(name));
    let names: Vec<_> = names.cloned().collect();
    for name in names {
        headers.remove(name);
    }
    // Hyper sends only trailers that are announced.
    let trailers = match framing {
        Framing::Chunked => trailers::announced(headers),
        Framing::Empty | Framing::Length => None,
    };
    match trailers {
        Some(trailers) => drop(headers.insert(TRAILER, trailers)),
        None => drop(headers.remove(TRAILER)),
    }
}

/// Makes the headers of an informational answer ones that go to the client.
pub(crate) fn informational_to_client(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers, Framing::Empty);
    headers.remove(CONTENT_LENGTH);
}
