//! The program as a process: signals, its log, its exit code, and the sockets that it is started with.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod certificates;
mod descriptors;
mod flood;
mod handover;
mod limits;
mod notify;
mod program;
mod reload;
mod sinks;
mod stalled;
mod stop;
