//! A cluster whose API server does what a test says: what is known of it then, and afterwards.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

#[path = "../support/directory.rs"]
mod directory;
#[path = "../support/program.rs"]
#[expect(dead_code, reason = "only its log is of interest here")]
mod program;

mod access;
mod activator;
mod check;
mod cluster;
mod discovery;
mod fake;
mod faults;
mod histories;
mod http;
mod lists;
mod log;
mod objects;
mod settings;
mod store;
mod tls;
