//! All that a release is made of, before it is packed.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::packages::Packages;
use super::{licences, sbom, toolchain};
use crate::archive::{File, Files};
use crate::command::{command, output, root};
use crate::program::{self, Target};
use crate::sums::sha256;

pub(crate) struct Parts {
    pub(crate) program: Vec<u8>,
    /// What shells complete, by the shell's name.
    pub(crate) completions: BTreeMap<&'static str, String>,
    /// The page activator(1).
    pub(crate) manual: String,
    /// The licences of what is linked into it.
    pub(crate) licences: String,
    /// What is linked into it.
    pub(crate) sbom: String,
    /// What is read by people and copied by them, by its path in the repository.
    pub(crate) documents: Files,
    /// When it was made, in seconds since 1970.
    pub(crate) time: u64,
}

/// Files and folders of the repository that belong to a release.
const DOCUMENTS: [&str; 6] = [
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "deploy",
    "docs",
];

/// Of which completions are released.
const SHELLS: [&str; 3] = ["bash", "fish", "zsh"];

impl Parts {
    /// Some with these documents, made in 1970.
    #[cfg(test)]
    pub(crate) fn made_up(documents: Files) -> Self {
        Self {
            program: b"program".to_vec(),
            completions: SHELLS.map(|shell| (shell, shell.to_owned())).into(),
            manual: "manual".to_owned(),
            licences: "licences".to_owned(),
            sbom: "{}".to_owned(),
            documents,
            time: 0,
        }
    }

    /// Builds the program, and reads the rest.
    pub(crate) fn build(target: &Target) -> Result<Self> {
        let time = time()?;
        let packages = Packages::read(target)?;
        let components = toolchain::components(target)?;
        let licences = licences::text(&packages, &components, target)?;
        let path = program::build(target)?;
        let program = std::fs::read(&path)?;
        // The same, but it runs here.
        let local = match target.runs_here() {
            true => path,
            false => program::build(&Target::find(None)?)?,
        };
        let completions = SHELLS.map(|shell| Ok((shell, ask(&local, &["completions", shell])?)));
        let at = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(time));
        let sbom = sbom::json(&packages, &components, &sha256(&program), at);
        Ok(Self {
            program,
            completions: completions.into_iter().collect::<Result<_>>()?,
            manual: ask(&local, &["man"])?,
            licences,
            sbom: format!("{sbom:#}\n"),
            documents: documents()?,
            time,
        })
    }
}

/// What the program prints.
fn ask(program: &Path, arguments: &[&str]) -> Result<String> {
    output(Command::new(program).args(arguments))
}

/// `SOURCE_DATE_EPOCH`, or the time of the last commit: not now, so that all clones say the same.
fn time() -> Result<u64> {
    let time = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(time) => time,
        Err(_) => output(&mut command("git log -1 --format=%ct"))
            .context("outside a clone SOURCE_DATE_EPOCH says when the release was made")?,
    };
    let seconds = time.trim().parse();
    seconds.with_context(|| format!("SOURCE_DATE_EPOCH: not seconds since 1970: {time:?}"))
}

/// Of the files that git knows, so that what else lies there is not released.
fn documents() -> Result<Files> {
    let mut list = command("git ls-files -z --");
    let list = output(list.args(DOCUMENTS))?;
    let mut files = Files::new();
    for path in list.split_terminator('\0') {
        let place = root().join(path);
        let content = std::fs::read(&place).with_context(|| path.to_owned())?;
        let file = if place.metadata()?.permissions().mode() & 0o100 == 0 {
            File::text(content)
        } else {
            File::program(content)
        };
        files.insert(path.to_owned(), file);
    }
    Ok(files)
}
