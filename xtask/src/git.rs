//! The repository as git knows it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::command::{command_at, output};

/// The repository of one checkout.
pub(crate) struct Git {
    root: PathBuf,
}

impl Git {
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.into() }
    }

    /// `git LINE`, split at blanks. It asks nobody anything.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut command = command_at(&self.root, &format!("git {line}"));
        command.stdin(Stdio::null()).env("GIT_TERMINAL_PROMPT", "0");
        // Set where git itself runs this, as a hook: for its own repository.
        for variable in ["GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"] {
            command.env_remove(variable);
        }
        command
    }

    /// What `git LINE` prints, by line.
    pub(crate) fn lines(&self, line: &str) -> Result<Vec<String>> {
        let text = output(&mut self.command(line))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// The first line that `git LINE` prints; `None` if it fails or prints nothing.
    pub(crate) fn ask(&self, line: &str) -> Option<String> {
        let output = self.command(line).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let first = text.lines().next()?;
        (output.status.success() && !first.is_empty()).then(|| first.to_owned())
    }
}
