//! HTTP/2 on both sides.

use activator_bin::testing::Activator;

use crate::harness::start;
use crate::http2_peers::{Http2Backend, Http2Client};

mod aborts;
mod allowance;
mod backends;
mod bodies;
mod counted;
mod drain;
mod goaway;
mod informational;
mod lost;
mod messages;
mod preface;
mod protocol;
mod raw;
mod sent_away;
mod silence;

/// A client of an activator in front of one backend.
async fn scene() -> (Http2Backend, Activator, Http2Client) {
    let backend = Http2Backend::bind().await;
    let activator = start(&[backend.address]);
    let client = Http2Client::connect(&activator).await;
    (backend, activator, client)
}
