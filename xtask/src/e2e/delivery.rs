//! The link to an autoscaler that is killed, stopped, restarted and closed at random, under load.

use anyhow::Result;

use crate::command::{command, root, run as run_command};

pub(crate) fn run() -> Result<()> {
    if !root().join(".venv/bin/python").exists() {
        run_command(&mut command("python3 -m venv .venv"))?;
    }
    run_command(&mut command(
        ".venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement e2e/requirements.txt",
    ))?;
    run_command(&mut command(
        "cargo run --quiet --package reporter-runtime --example delivery_soak -- .venv/bin/python e2e/receiver.py",
    ))
}
