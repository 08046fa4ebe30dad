//! The libraries as a registry would have them: packed, built from what was packed, and tried there.
//!
//! What a packed crate lacks shows only without the folders around it. So the packed crates become a workspace of
//! their own, whose tests run.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::command::{command_at, output, run};

/// What a registry shows of a crate.
const SHOWN: [&str; 7] = [
    "categories",
    "description",
    "documentation",
    "keywords",
    "license",
    "readme",
    "rust_version",
];

/// A member of the workspace that may be published.
struct Library {
    name: String,
    version: String,
}

/// Packs and checks all libraries of the workspace at `root`.
pub(crate) fn check(root: &Path) -> Result<()> {
    let metadata = output(&mut command_at(
        root,
        "cargo metadata --format-version 1 --no-deps",
    ))?;
    let metadata: Value = serde_json::from_str(&metadata)?;
    let libraries = libraries(&metadata)?;
    pack(root, &libraries)?;

    let target = metadata["target_directory"].as_str();
    let target = Path::new(target.context("cargo does not name its target directory")?);
    let unpacked = target.join("packed");
    unpack(root, target, &unpacked, &libraries)?;
    for line in [
        "cargo test --quiet --workspace",
        "cargo check --quiet --workspace --benches",
    ] {
        // Dependencies are not built again.
        run(command_at(&unpacked, line).env("CARGO_TARGET_DIR", target))?;
    }
    Ok(())
}

/// The members that may be published, of which all is known that a registry shows.
fn libraries(metadata: &Value) -> Result<Vec<Library>> {
    let mut libraries = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        // Where it may be published: `null` is anywhere.
        if !package["publish"].is_null() {
            continue;
        }
        let text = |field: &str| package[field].as_str().unwrap_or_default().to_owned();
        let (name, version) = (text("name"), text("version"));
        let is_set = |field: &&str| match &package[*field] {
            Value::Array(words) => !words.is_empty(),
            value => !value.is_null(),
        };
        let unset: Vec<_> = SHOWN.into_iter().filter(|field| !is_set(field)).collect();
        ensure!(
            unset.is_empty(),
            "the manifest of {name} does not say: {}",
            unset.join(", ")
        );
        libraries.push(Library { name, version });
    }
    ensure!(
        !libraries.is_empty(),
        "no member may be published: all have `publish = false`"
    );
    Ok(libraries)
}

/// Writes the archives and builds each library from them; a warning is an error.
fn pack(root: &Path, libraries: &[Library]) -> Result<()> {
    let mut command = command_at(root, "cargo package --allow-dirty");
    for library in libraries {
        command.args(["--package", &library.name]);
    }
    eprintln!("$ {command:?}");
    let output = command.output().context("cannot start cargo")?;
    let said = String::from_utf8_lossy(&output.stderr);
    eprint!("{said}");
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        output.status
    );
    // Cargo tries again what fails in the network.
    let warning = said
        .lines()
        .find(|line| line.starts_with("warning") && !line.contains("spurious network error"));
    ensure!(
        warning.is_none(),
        "{command:?}: {}",
        warning.unwrap_or_default()
    );
    Ok(())
}

/// Makes a workspace of the archives alone, with the versions of dependencies that the whole one has.
fn unpack(root: &Path, target: &Path, unpacked: &Path, libraries: &[Library]) -> Result<()> {
    if unpacked.exists() {
        fs::remove_dir_all(unpacked)?;
    }
    fs::create_dir_all(unpacked)?;
    let mut manifest =
        "[workspace]\nresolver = \"3\"\nmembers = [\"*-*.*.*\"]\n\n[patch.crates-io]\n".to_owned();
    for Library { name, version } in libraries {
        let folder = format!("{name}-{version}");
        let archive = target.join(format!("package/{folder}.crate"));
        run(command_at(unpacked, "tar --extract --gzip --file").arg(archive))?;
        ensure!(
            unpacked.join(&folder).join("LICENSE").exists(),
            "{name} is packed without its LICENSE"
        );
        writeln!(manifest, "{name} = {{ path = \"{folder}\" }}").expect("a string takes any text");
    }
    fs::write(unpacked.join("Cargo.toml"), manifest)?;
    fs::copy(root.join("Cargo.lock"), unpacked.join("Cargo.lock"))?;
    Ok(())
}
