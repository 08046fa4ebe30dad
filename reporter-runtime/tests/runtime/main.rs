//! The runtime through its public API: in virtual time, or with real threads where the file says so.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../support/clock.rs"]
mod clock;
#[path = "../support/ending.rs"]
mod ending;
#[path = "../support/log.rs"]
mod log;
#[path = "../support/merging.rs"]
mod merging;
#[path = "../support/replay.rs"]
mod replay;
#[path = "../support/scene.rs"]
mod scene;
#[path = "../support/sink.rs"]
mod sink;

mod first_requests;
mod guard;
mod history;
mod json_lines;
mod key_limit;
mod sinks;
mod stop;
mod ticks;
