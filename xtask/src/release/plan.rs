//! What a release does, decided from the state of the repository alone.

#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};

use anyhow::{Result, bail};
use semver::Version;

use super::state::State;
use super::{changelog, mentions};

/// Releases are made from it.
const BRANCH: &str = "main";

/// What must pass with the new version, by name: what it is, is up to the checkout.
pub(super) const CHECKS: [&str; 2] = ["cargo xtask ci", "cargo xtask semver"];

/// A file that changes.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) path: String,
    pub(super) text: String,
    what: String,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) version: Version,
    pub(super) tag: String,
    /// What the commit is made on.
    pub(super) commit: String,
    pub(super) edits: Vec<Edit>,
    /// The section of the changelog.
    notes: String,
    committer: String,
}

impl Plan {
    /// # Errors
    /// All that is in the way of this release.
    pub(super) fn new(state: &State, version: &Version, date: &str) -> Result<Self> {
        let mut reasons = repository(state);
        reasons.extend(order(state, version));
        let mut edits = Vec::new();
        let mut notes = String::new();
        match released_changelog(state, version, date) {
            Ok((edit, section)) => {
                edits.push(edit);
                notes = section;
            }
            Err(reason) => reasons.push(reason),
        }
        match bumped(state, version) {
            Ok(bumped) => edits.extend(bumped),
            Err(reason) => reasons.push(reason),
        }
        if !reasons.is_empty() {
            bail!(
                "{version} cannot be released:\n  - {}",
                reasons.join("\n  - ")
            );
        }
        Ok(Self {
            version: version.clone(),
            tag: tag(version),
            commit: state.commit.clone(),
            edits,
            notes,
            committer: state.committer.clone().unwrap_or_default(),
        })
    }

    pub(super) fn commit_message(&self) -> String {
        format!("release: {}", self.version)
    }

    pub(super) fn tag_message(&self) -> String {
        format!("activator {}\n\n{}\n", self.version, self.notes)
    }

    /// What is left to those who release.
    pub(super) fn next(&self) -> String {
        let Self { version, tag, .. } = self;
        format!(
            "{version} is committed and tagged, here only. What comes next:\n  \
             git push --atomic origin {BRANCH} {tag}\n  \
             cargo xtask dist && cargo xtask deb\n  \
             cargo publish --package reporter-core --package reporter-metrics --package reporter-runtime\n\
             To take it back before that: git tag --delete {tag} && git reset --keep {}",
            self.commit
        )
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            tag,
            commit,
            ..
        } = self;
        writeln!(f, "Release {version}, on {BRANCH} at {commit}:")?;
        writeln!(f, "1. In a checkout of its own:")?;
        for Edit { path, what, .. } in &self.edits {
            writeln!(f, "   {path}: {what}")?;
        }
        writeln!(
            f,
            "2. There a commit \"{}\" by {}",
            self.commit_message(),
            self.committer
        )?;
        writeln!(f, "3. There must pass: {}", CHECKS.join(", "))?;
        writeln!(f, "4. The tag {tag}, with the changelog's section")?;
        writeln!(
            f,
            "5. {BRANCH} moves to that commit. Nothing is pushed or published."
        )
    }
}

fn tag(version: &Version) -> String {
    format!("v{version}")
}

/// What is wrong with the repository for any version.
fn repository(state: &State) -> Vec<String> {
    let mut reasons = Vec::new();
    match state.branch.as_deref() {
        Some(BRANCH) => {}
        Some(other) => reasons.push(format!(
            "the branch is {other}: releases are made from {BRANCH}"
        )),
        None => reasons.push(format!(
            "no branch is checked out (HEAD is detached): releases are made from {BRANCH}"
        )),
    }
    if let [first, others @ ..] = state.changes.as_slice() {
        let others = match others.len() {
            0 => String::new(),
            number => format!(", and {number} more"),
        };
        reasons.push(format!(
            "not everything is committed: {}{others}",
            first.trim()
        ));
    }
    if state.committer.is_none() {
        reasons.push(
            "git does not know who commits: set user.name and user.email with `git config`"
                .to_owned(),
        );
    }
    reasons
}

/// What is wrong with the version, beside those that were.
fn order(state: &State, version: &Version) -> Vec<String> {
    let mut reasons = Vec::new();
    if !version.build.is_empty() {
        reasons.push(format!(
            "\"+{}\" does not order versions: leave it out",
            version.build
        ));
    }
    if state.tags.contains(&tag(version)) {
        reasons.push(format!("there is a tag {} already", tag(version)));
    }
    let released = state
        .tags
        .iter()
        .filter_map(|tag| tag.strip_prefix('v')?.parse::<Version>().ok());
    if let Some(last) = released.max_by(Version::cmp_precedence)
        && version.cmp_precedence(&last).is_le()
    {
        reasons.push(format!("it is not higher than {last}, which is released"));
    }
    reasons
}

fn released_changelog(
    state: &State,
    version: &Version,
    date: &str,
) -> Result<(Edit, String), String> {
    const PATH: &str = "CHANGELOG.md";
    let text = state.files.get(PATH).ok_or("there is no CHANGELOG.md")?;
    let (text, notes) = changelog::release(text, version, date)?;
    let edit = Edit {
        path: PATH.to_owned(),
        text,
        what: format!("what is unreleased becomes \"{version} - {date}\""),
    };
    Ok((edit, notes))
}

/// The files that name the version. None when it is in place already, as before the first release.
fn bumped(state: &State, version: &Version) -> Result<Vec<Edit>, String> {
    let manifest = state
        .files
        .get("Cargo.toml")
        .ok_or("there is no Cargo.toml")?;
    let old =
        mentions::workspace_version(manifest).map_err(|error| format!("Cargo.toml: {error}"))?;
    let current: Version = old
        .parse()
        .map_err(|error| format!("Cargo.toml: \"{old}\": {error}"))?;
    if version.cmp_precedence(&current).is_lt() {
        return Err(format!(
            "it is lower than {current}, the version in Cargo.toml"
        ));
    }
    let mut edits = Vec::new();
    for (path, text) in state
        .files
        .iter()
        .filter(|(path, _)| *path != "CHANGELOG.md")
    {
        let replaced = mentions::replace(path, text, &old, &version.to_string());
        let (text, places) = replaced.map_err(|error| format!("{path}: {error}"))?;
        if places > 0 && *version != current {
            let times = if places == 1 {
                "once"
            } else {
                &format!("{places} times")
            };
            let what = format!("{old} becomes {version}, {times}");
            edits.push(Edit {
                path: path.clone(),
                text,
                what,
            });
        }
    }
    Ok(edits)
}
