//! Everything that must hold before a change lands, but for the end-to-end scenes.

use anyhow::Result;

use crate::command::{self, command};
use crate::purity;

pub(crate) fn run() -> Result<()> {
    check()?;
    step("cargo test --workspace")
}

pub(crate) fn check() -> Result<()> {
    step("cargo fmt --all --check")?;
    step("cargo clippy --workspace --all-targets -- -D warnings")?;
    purity::run()?;
    let mut doc = command("cargo doc --workspace --no-deps");
    command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn step(line: &str) -> Result<()> {
    command::run(&mut command(line))
}
