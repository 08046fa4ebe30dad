//! HTTP/1 over a connection to a backend: one request at a time, driven by whoever waits for its response.
//!
//! No task of its own, no queue and no buffer between two requests: with many connections, memory that is touched for
//! each request is what a request costs.
//!
//! What must not live here: which connection a request uses (see the pool), and what is changed in messages.

mod body;
mod connection;
mod decoder;
mod fault;
mod head;
#[cfg(test)]
mod tests;
mod upload;

pub(crate) use body::Http1Body;
pub(super) use connection::{Open, Shared};
pub(crate) use fault::{Fault, Invalid};
