//! Everything that must hold before a change lands.

use anyhow::Result;

use crate::command::{self, command, root};
use crate::{bench, deny, e2e, package};

pub(crate) fn run() -> Result<()> {
    step("cargo test --workspace")?;
    check()?;
    package::check(root())?;
    bench::run(&bench::What::Instructions { update: false })?;
    e2e::run(None)
}

pub(crate) fn check() -> Result<()> {
    step("cargo fmt --all --check")?;
    step("cargo fmt --check --manifest-path fuzz/Cargo.toml")?;
    step("cargo clippy --workspace --all-targets -- -D warnings")?;
    step("cargo clippy --package activator-bin --no-default-features -- -D warnings")?;
    let mut doc = command("cargo doc --workspace --no-deps");
    command::run(doc.env("RUSTDOCFLAGS", "-D warnings"))?;
    deny::check(root())
}

fn step(line: &str) -> Result<()> {
    command::run(&mut command(line))
}
