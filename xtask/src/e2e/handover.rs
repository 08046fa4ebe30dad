//! Restarts by socket handover under load, which no client notices.

use std::process::Command;

use anyhow::Result;

use super::nginx::Nginx;
use crate::command::{self, root};
use crate::support::activator::{choose, program, revision};
use crate::support::process::Scratch;

pub(crate) fn run() -> Result<()> {
    let nginx = Nginx::start()?;
    let scratch = Scratch::new("handover")?;
    let config = scratch.path("activator.toml");
    std::fs::write(&config, revision("files", &[nginx.address]))?;
    command::run(
        Command::new("python3")
            .arg(root().join("e2e/handover.py"))
            .args([program(), config])
            .arg("/1k")
            .args(choose("files").lines()),
    )
}
