//! HTTP/2 on both sides.

use activator_bin::testing::Activator;

use crate::support::activator::start;
use crate::support::http2::{Http2Backend, Http2Client};

mod aborts;
mod backend_goaway;
mod backend_protocol;
mod backends;
mod bodies;
mod client_goaway;
mod detection;
mod drain;
mod error_counts;
mod informational;
mod keep_alive;
mod max_streams;
mod messages;
mod retries;

/// A client of an activator in front of one backend.
async fn scene() -> (Http2Backend, Activator, Http2Client) {
    let backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    (backend, activator, client)
}
