//! Carries out a plan. Until everything has passed, the branch and its files are as they were: all work is done in a
//! checkout of its own, with its own `target`, and what fails there leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::plan::{CHECKS, Plan};
use super::state::State;
use crate::command::{command_at, output, run};
use crate::git::Git;

pub(super) fn carry_out(plan: &Plan, state: &State, root: &Path, git: &Git) -> Result<()> {
    let checkout = Checkout::new(root, &plan.commit)?;
    let there = Git::at(&checkout.path);
    for edit in &plan.edits {
        fs::write(checkout.path.join(&edit.path), &edit.text).with_context(|| edit.path.clone())?;
    }
    output(&mut command_at(
        &checkout.path,
        "cargo metadata --locked --format-version 1",
    ))
    .context("Cargo.lock does not fit the manifests with the new version")?;
    run(there
        .command("commit --quiet --all --message")
        .arg(plan.commit_message()))?;
    let commit = there
        .ask("rev-parse --verify HEAD")
        .context("there is no new commit")?;
    for check in CHECKS {
        run(&mut command_at(&checkout.path, check))?;
    }

    // The checks take their time, in which somebody may have gone on working.
    ensure!(
        State::read(root, git)? == *state,
        "the repository has changed in the meantime: release again"
    );
    let message = root.join("target/release-notes");
    fs::write(&message, plan.tag_message())?;
    let mut tag = git.command("tag --annotate --cleanup=whitespace --file");
    run(tag.arg(message).args([&plan.tag, &commit]))?;
    let moved = run(git.command("merge --quiet --ff-only").arg(&commit));
    if moved.is_err() {
        run(git.command("tag --delete").arg(&plan.tag))?;
    }
    moved
}

/// A worktree, which is removed at its end.
struct Checkout {
    git: Git,
    path: PathBuf,
}

impl Checkout {
    fn new(root: &Path, commit: &str) -> Result<Self> {
        let checkout = Self {
            git: Git::at(root),
            path: root.join("target/release-checkout"),
        };
        // Of a release that was killed.
        checkout.remove();
        let mut add = checkout.git.command("worktree add --quiet --detach");
        run(add.arg(&checkout.path).arg(commit))?;
        Ok(checkout)
    }

    fn remove(&self) {
        let _ = fs::remove_dir_all(&self.path);
        let _ = run(&mut self.git.command("worktree prune"));
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        self.remove();
    }
}
