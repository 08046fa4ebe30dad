//! The packages that are linked into the program, and which of them needs which.
//!
//! `cargo tree` says which: exactly, unlike `cargo metadata`, which takes the features that other members of the workspace
//! want for the program's. Packages that only run while it is built (procedural macros, build scripts' dependencies) are not
//! among them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::command::{command, output, root};
use crate::program::Target;

/// A package's name and version.
pub(crate) type Id = (String, String);

/// What is linked in. The first is the program's own package.
pub(crate) struct Packages {
    pub(crate) program: Id,
    pub(crate) all: BTreeMap<Id, Package>,
}

/// A package that is linked in.
pub(crate) struct Package {
    /// An SPDX expression.
    pub(crate) license: String,
    pub(crate) repository: Option<String>,
    pub(crate) directory: PathBuf,
    /// The SHA-256 of what the registry has; the workspace's own have none.
    pub(crate) checksum: Option<String>,
    pub(crate) dependencies: BTreeSet<Id>,
}

impl Package {
    /// Whether it is of this workspace.
    pub(crate) fn is_own(&self) -> bool {
        self.checksum.is_none()
    }
}

impl Packages {
    pub(crate) fn read(target: &Target) -> Result<Self> {
        let mut tree = command(
            "cargo tree --locked --package activator-bin --edges normal,no-proc-macro --prefix depth --format {p}",
        );
        let tree = output(tree.args(["--target", target.name()]))?;
        let mut metadata = command("cargo metadata --locked --format-version 1");
        let metadata = output(metadata.args(["--filter-platform", target.name()]))?;
        let lock = std::fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
        Self::join(&tree, &metadata, &lock)
    }

    /// From what `cargo tree` and `cargo metadata` print, and Cargo.lock.
    pub(super) fn join(tree: &str, metadata: &str, lock: &str) -> Result<Self> {
        let (program, graph) = graph(tree)?;
        let metadata: Metadata = serde_json::from_str(metadata).context("cargo metadata")?;
        let mut described: BTreeMap<Id, Described> = metadata
            .packages
            .into_iter()
            .map(|package| ((package.name.clone(), package.version.clone()), package))
            .collect();
        let lock: Lock = toml::from_str(lock).context("Cargo.lock")?;
        let mut locked: BTreeMap<Id, Locked> = lock
            .package
            .into_iter()
            .map(|package| ((package.name.clone(), package.version.clone()), package))
            .collect();
        let mut all = BTreeMap::new();
        for (id, dependencies) in graph {
            let (name, version) = &id;
            let missing = |place| format!("{name} {version} is not in {place}");
            let described = described
                .remove(&id)
                .with_context(|| missing("cargo metadata"))?;
            let locked = locked.remove(&id).with_context(|| missing("Cargo.lock"))?;
            let package = described.package(locked, dependencies);
            all.insert(
                id.clone(),
                package.with_context(|| format!("{name} {version}"))?,
            );
        }
        Ok(Self { program, all })
    }
}

/// The first package of a tree, and which package needs which.
fn graph(tree: &str) -> Result<(Id, BTreeMap<Id, BTreeSet<Id>>)> {
    let mut graph: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
    // From the first package to that of the line before.
    let mut path: Vec<Id> = Vec::new();
    for line in tree.lines().filter(|line| !line.is_empty()) {
        let node = node(line).with_context(|| format!("not a line of cargo tree: {line:?}"))?;
        let (depth, id) = node;
        ensure!(
            depth <= path.len() && (depth > 0 || path.is_empty()),
            "cargo tree: {line:?} is below nothing"
        );
        path.truncate(depth);
        if let Some(above) = path.last() {
            let above = graph.get_mut(above).expect("it has been seen");
            above.insert(id.clone());
        }
        graph.entry(id.clone()).or_default();
        path.push(id);
    }
    let program = path.into_iter().next().context("cargo tree is empty")?;
    Ok((program, graph))
}

/// A line such as `2bytes v1.12.2 (*)`.
fn node(line: &str) -> Option<(usize, Id)> {
    let name = line.find(|character: char| !character.is_ascii_digit())?;
    let (depth, package) = line.split_at(name);
    let mut words = package.split(' ');
    let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
    Some((depth.parse().ok()?, (name.to_owned(), version.to_owned())))
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
}

#[derive(Deserialize)]
struct Described {
    name: String,
    version: String,
    license: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
}

/// How Cargo.lock names crates.io.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

impl Described {
    fn package(self, locked: Locked, dependencies: BTreeSet<Id>) -> Result<Package> {
        match locked.source.as_deref() {
            None => {}
            Some(REGISTRY) => ensure!(locked.checksum.is_some(), "no checksum in Cargo.lock"),
            Some(source) => bail!("it is from {source}, which no package URL names; use crates.io"),
        }
        let license = self.license.context("no `license` in its Cargo.toml")?;
        let canonical = spdx::Expression::canonicalize(&license);
        let canonical = canonical.with_context(|| format!("license {license:?}"))?;
        let license = canonical.unwrap_or(license);
        spdx::Expression::parse(&license).with_context(|| format!("license {license:?}"))?;
        let directory = self.manifest_path.parent().map(Path::to_owned);
        Ok(Package {
            license,
            repository: self.repository,
            directory: directory.context("its Cargo.toml is in no directory")?,
            checksum: locked.checksum,
            dependencies,
        })
    }
}

#[cfg(test)]
mod tests;
