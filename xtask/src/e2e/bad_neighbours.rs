//! Many faults at once: backends that close, vanish or stall, a log that is not read, scrapers and idle clients, with
//! few file descriptors. A well-behaved revision must not notice.

use std::process::Command;

use anyhow::Result;

use crate::command::{root, run as run_command};
use crate::support::activator::program;

/// `ACTIVATOR_E2E_NEIGHBOURS_SECONDS=300` runs the scene for longer.
const SECONDS: &str = "ACTIVATOR_E2E_NEIGHBOURS_SECONDS";

pub(crate) fn run() -> Result<()> {
    let seconds = std::env::var(SECONDS).unwrap_or_else(|_| "20".to_owned());
    // What it prints is the measurement.
    run_command(
        Command::new("python3")
            .arg("-u")
            .arg(root().join("e2e/bad_neighbours.py"))
            .arg(program())
            .arg(seconds),
    )
}
