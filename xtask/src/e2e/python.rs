//! The scenes' Python programs and their packages.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::{command, root, run};

/// A virtual environment with packages.
pub(crate) struct Python(());

impl Python {
    pub(crate) fn prepare() -> Result<Self> {
        Self::with("e2e/requirements.txt")
    }

    /// With the packages that this file lists.
    pub(crate) fn with(requirements: &str) -> Result<Self> {
        let python = Self(());
        if !python.program().exists() {
            run(&mut command("python3 -m venv .venv"))?;
        }
        run(Command::new(python.program())
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .arg("--requirement")
            .arg(root().join(requirements)))?;
        Ok(python)
    }

    pub(crate) fn program(&self) -> PathBuf {
        root().join(".venv/bin/python")
    }

    /// A command that runs `e2e/NAME`; its output is not buffered.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = Command::new(self.program());
        command.arg("-u").arg(root().join("e2e").join(name));
        command
    }
}
