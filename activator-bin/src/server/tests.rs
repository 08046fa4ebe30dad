//! A worker on the test's own thread: what its connections hold, and what becomes of slow peers.

mod early;
mod flood;
mod http2;
mod idle;
mod memory;
mod names;
mod scene;
mod slow;
mod stuck;
