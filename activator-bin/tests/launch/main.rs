//! Real programs as instances: how they start, what they get, how they end, and that nothing of them is left.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod commands;
#[path = "../support/directory.rs"]
mod directory;
mod ends;
mod orphans;
mod output;
mod ready;
mod scene;
mod starts;
mod user;
