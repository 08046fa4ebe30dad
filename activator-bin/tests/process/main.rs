//! The program as a process: signals, its log, its exit code, and the sockets that it is started with.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod access_log;
mod certificates;
mod descriptors;
#[path = "../support/directory.rs"]
mod directory;
mod first_look;
mod handover;
mod healthcheck;
mod limits;
mod log_colours;
mod log_filter;
mod log_flood;
mod notify;
#[path = "../support/program.rs"]
#[expect(dead_code, reason = "nothing here reads a log as a whole")]
mod program;
mod reload;
mod signals;
mod sinks;
#[path = "../support/sockets.rs"]
mod sockets;
mod unread_output;
