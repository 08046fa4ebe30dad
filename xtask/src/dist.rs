//! A release: the program for one target with all that belongs to it, in one archive that is the same bytes wherever it is
//! made from the same commit.

mod licences;
mod packages;
pub(crate) mod parts;
mod sbom;
mod toolchain;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

use self::parts::Parts;
use crate::archive::{File, Files, Tar};
use crate::program::{Target, VERSION, target_directory};
use crate::{deb, sums};

/// Of `cargo xtask dist` and `cargo xtask deb`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Rust's name of what it is for, such as aarch64-unknown-linux-gnu; by default this machine's, with musl where Rust's
    /// library for it and musl-gcc are installed.
    #[arg(long, value_name = "TARGET")]
    pub(crate) target: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    println!("{}", write(options)?.display());
    Ok(())
}

/// Builds all, and returns the path of the archive.
pub(crate) fn write(options: &Options) -> Result<PathBuf> {
    let target = Target::find(options.target.as_deref())?;
    let parts = Parts::build(&target)?;
    let name = format!("activator-{VERSION}-{}", target.name());
    let time = parts.time;
    let archive = Tar::of(&files(parts), &name, time)?;
    put(&format!("{name}.tar.gz"), &gzip(&archive)?)
}

/// What is in the archive.
fn files(parts: Parts) -> Files {
    let mut files = parts.documents;
    let mut add = |path: &str, content: String| files.insert(path.to_owned(), File::text(content));
    add("THIRD-PARTY-LICENSES.txt", parts.licences);
    add("activator.cdx.json", parts.sbom);
    add("man/activator.1", parts.manual);
    for (shell, script) in parts.completions {
        // zsh finds it by this name alone.
        let name = match shell {
            "zsh" => "_activator".to_owned(),
            shell => format!("activator.{shell}"),
        };
        add(&format!("completions/{name}"), script);
    }
    let program = File::program(parts.program);
    files.insert("activator".to_owned(), program);
    let summed = files
        .iter()
        .map(|(path, file)| (path.as_str(), file.content.as_slice()));
    let sums = sums::lines(summed);
    files.insert(SUMS.to_owned(), File::text(sums));
    files
}

const SUMS: &str = "SHA256SUMS";

/// Compressed, without a name and a time.
pub(crate) fn gzip(content: &[u8]) -> Result<Vec<u8>> {
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::best());
    gzip.write_all(content)?;
    Ok(gzip.finish()?)
}

/// Writes what is to be released, and the sums of all of this version that stand beside it.
pub(crate) fn put(name: &str, content: &[u8]) -> Result<PathBuf> {
    let directory = target_directory()?.join("dist");
    std::fs::create_dir_all(&directory)?;
    let path = directory.join(name);
    std::fs::write(&path, content).with_context(|| path.display().to_string())?;
    sum(&directory)?;
    Ok(path)
}

/// Writes the sums of all of this version that are in `directory`.
pub(crate) fn sum(directory: &Path) -> Result<()> {
    let mut released = Files::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_released(&name) {
            released.insert(name, File::text(std::fs::read(entry.path())?));
        }
    }
    let files = released
        .iter()
        .map(|(name, file)| (name.as_str(), file.content.as_slice()));
    Ok(std::fs::write(directory.join(SUMS), sums::lines(files))?)
}

/// Whether a file is an archive or a package of this version.
fn is_released(name: &str) -> bool {
    let archive = name.strip_prefix(&format!("activator-{VERSION}-"));
    let target = archive.and_then(|rest| rest.strip_suffix(".tar.gz"));
    let package = name.strip_prefix(&format!("activator_{}-", deb::upstream_version()));
    target.is_some_and(Target::is_known) || package.is_some_and(|rest| rest.ends_with(".deb"))
}

#[cfg(test)]
mod tests;
