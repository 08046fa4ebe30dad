//! A worker on the test's own thread: memory held by its connections, and slow peers.

mod early;
mod flood;
mod http2;
mod idle;
mod memory;
mod names;
mod scene;
mod slow;
mod stuck;
