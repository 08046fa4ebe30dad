//! Everything that must hold before a change lands, but for the end-to-end scenes.

use anyhow::Result;

use crate::command::{self, command};

pub(crate) fn run() -> Result<()> {
    check()?;
    step("cargo test --workspace")
}

pub(crate) fn check() -> Result<()> {
    step("cargo fmt --all --check")?;
    step("cargo fmt --check --manifest-path fuzz/Cargo.toml")?;
    step("cargo clippy --workspace --all-targets -- -D warnings")?;
    let mut doc = command("cargo doc --workspace --no-deps");
    command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
}

fn step(line: &str) -> Result<()> {
    command::run(&mut command(line))
}
