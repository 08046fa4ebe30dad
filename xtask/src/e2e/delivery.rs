//! The link to an autoscaler that is killed, stopped, restarted and closed at random, under load.

use anyhow::Result;

use super::python::Python;
use crate::command::{command, run as run_command};

pub(crate) fn run() -> Result<()> {
    let python = Python::prepare()?;
    run_command(
        command("cargo run --quiet --package reporter-runtime --example delivery_soak --")
            .arg(python.program())
            .arg("e2e/receiver.py"),
    )
}
