//! HTTP messages: raw heads, request targets, headers, trailers, informational responses, and request bodies.
//!
//! What must not live here: connections, and the purpose of a request.

pub(crate) mod h2_body;
pub(crate) mod head;
pub(crate) mod headers;
pub(crate) mod hop_by_hop;
pub(crate) mod interim;
mod listed;
pub(crate) mod request_body;
pub(crate) mod target;
pub(crate) mod trailers;
