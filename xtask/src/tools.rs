//! Programs from the registry that tasks run: built once per version, into `target/tools`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::{command_at, run};

/// A program that cargo installs under the name of its crate.
pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

impl Tool {
    /// The program, which is built first where it is not there.
    pub(crate) fn prepare(&self, root: &Path) -> Result<PathBuf> {
        let Self { name, version } = self;
        let folder = root.join(format!("target/tools/{name}-{version}"));
        let program = folder.join("bin").join(name);
        if !program.exists() {
            // Without optimisations it is there in a minute, and none of them has much to do.
            run(command_at(
                root,
                "cargo install --quiet --locked --debug --no-track --root",
            )
            .arg(&folder)
            .arg(format!("{name}@{version}"))
            .env("CARGO_PROFILE_DEV_DEBUG", "none"))
            .with_context(|| format!("{name} is needed, and cannot be installed"))?;
        }
        Ok(program)
    }
}
