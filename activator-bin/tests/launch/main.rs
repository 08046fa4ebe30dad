//! Real programs as instances: how they start, what they get, how they end, and that nothing of them is left.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod commands;
#[path = "../support/directory.rs"]
mod directory;
mod ends;
mod orphans;
mod output;
#[path = "../support/program.rs"]
#[expect(
    dead_code,
    reason = "other tests of the program follow its log closely"
)]
mod program;
mod ready;
mod scene;
#[path = "../support/sockets.rs"]
#[expect(dead_code, reason = "the embedded revision is not served here")]
mod sockets;
mod starts;
mod user;
mod whole;
