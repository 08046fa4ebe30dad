//! The scenes' programs in Go, built from their authors' source.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::command::{root, run};

/// The programs that `e2e/go/go.mod` names, built.
pub(crate) struct Go(());

impl Go {
    pub(crate) fn prepare() -> Result<Self> {
        let go = Self(());
        std::fs::create_dir_all(go.directory())?;
        run(Command::new("go")
            .current_dir(root().join("e2e/go"))
            .args(["build", "-o"])
            .arg(go.directory())
            .arg("tool"))?;
        Ok(go)
    }

    fn directory(&self) -> PathBuf {
        root().join("target/e2e-go/")
    }

    pub(crate) fn program(&self, name: &str) -> Command {
        Command::new(self.path(name))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory().join(name)
    }
}
