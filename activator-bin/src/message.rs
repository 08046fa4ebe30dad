//! HTTP messages: their heads as bytes, request targets, headers, trailers, informational responses, and
//! bodies of requests.
//!
//! What must not live here: connections, and what a request is for.

pub(crate) mod h2_body;
pub(crate) mod head;
pub(crate) mod headers;
pub(crate) mod hop_by_hop;
pub(crate) mod interim;
mod listed;
pub(crate) mod request_body;
pub(crate) mod target;
pub(crate) mod trailers;
