//! What a release depends on: the state of the repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::git::Git;

/// Read once, before anything is changed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct State {
    /// `None` when no branch is checked out.
    pub(super) branch: Option<String>,
    pub(super) commit: String,
    /// Paths that are not as they were committed, with git's letters for how.
    pub(super) changes: Vec<String>,
    /// Who would commit; `None` when git was not told.
    pub(super) committer: Option<String>,
    pub(super) tags: Vec<String>,
    /// The files in which the version may stand, by path.
    pub(super) files: BTreeMap<String, String>,
}

impl State {
    pub(super) fn read(root: &Path, git: &Git) -> Result<Self> {
        let commit = git.ask("rev-parse --verify HEAD");
        let mut files = BTreeMap::new();
        for path in git.lines("-c core.quotePath=false ls-files")? {
            if !may_name_the_version(&path) {
                continue;
            }
            // Neither a file that was deleted nor a picture names it.
            if let Ok(text) = fs::read_to_string(root.join(&path)) {
                files.insert(path, text);
            }
        }
        // Otherwise git makes up an address from the names of the user and the machine.
        let committer = git.ask("-c user.useConfigOnly=true var GIT_COMMITTER_IDENT");
        // The time follows, which is another one each time.
        let committer = committer.and_then(|said| Some(said.rsplitn(3, ' ').nth(2)?.to_owned()));
        Ok(Self {
            branch: git.ask("symbolic-ref --quiet --short HEAD"),
            commit: commit.context("the repository has no commit")?,
            changes: git.lines("status --porcelain --untracked-files=all")?,
            committer,
            tags: git.lines("tag --list v*")?,
            files,
        })
    }
}

fn may_name_the_version(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folder = path.split('/').next().unwrap_or(path);
    matches!(name, "Cargo.toml" | "Cargo.lock")
        || matches!(path, "CHANGELOG.md" | "README.md")
        || matches!(folder, "docs" | "deploy")
}
