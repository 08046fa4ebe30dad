//! The release: its archive is complete, and the same bytes from two clones.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, bail, ensure};

use super::python::Python;
use crate::command::{output, root, run as run_command};
use crate::dist::{self, Options};
use crate::program::{VERSION, cargo_home};
use crate::sums::sha256;
use crate::support::process::Scratch;

/// What the clones' program is built without in CI, where building it as it is released twice would take too long.
/// `E2E_DIST=long` does that.
const QUICK: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
];

pub(crate) fn run() -> Result<()> {
    let archive = dist::write(&Options { target: None })?;
    let size = std::fs::metadata(&archive)?.len();
    println!("archive: {:.1} MiB", size as f64 / f64::from(1 << 20));
    let scratch = Scratch::new("dist")?;
    unpack(&archive, &scratch)?;
    clones(&scratch)
}

/// The sums are right, the program runs, others can read the list of what is linked in.
fn unpack(archive: &Path, scratch: &Scratch) -> Result<()> {
    let beside = archive.parent().context("it is in a directory")?;
    check_sums(beside)?;
    let unpacked = scratch.path("unpacked");
    std::fs::create_dir(&unpacked)?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--strip-components=1", "--file"]);
    run_command(tar.arg(archive).arg("--directory").arg(&unpacked))?;
    check_sums(&unpacked)?;

    let program = unpacked.join("activator");
    let version = output(Command::new(&program).arg("--version"))?;
    ensure!(
        version.trim() == format!("activator {VERSION}"),
        "{version:?}"
    );
    let bytes = std::fs::read(&program)?;
    for path in [root(), cargo_home()?.as_path()] {
        let path = path.display().to_string();
        let found = bytes
            .windows(path.len())
            .any(|part| part == path.as_bytes());
        ensure!(!found, "the program has a path of this machine: {path}");
    }

    let licences = std::fs::read_to_string(unpacked.join("THIRD-PARTY-LICENSES.txt"))?;
    for part in ["ring 0.", "rust-std 1.", "(jemalloc/COPYING)"] {
        let is_there = licences.contains(part) || cfg!(not(target_arch = "x86_64"));
        ensure!(is_there, "no {part:?} in THIRD-PARTY-LICENSES.txt");
    }
    let mut check = Python::prepare()?.script("sbom.py");
    run_command(check.arg(unpacked.join("activator.cdx.json")))
}

fn check_sums(directory: &Path) -> Result<()> {
    let mut sums = Command::new("sha256sum");
    run_command(
        sums.current_dir(directory)
            .args(["--quiet", "--check", "SHA256SUMS"]),
    )
}

/// The archives of two clones of the last commit, in folders of different names.
fn clones(scratch: &Scratch) -> Result<()> {
    let folders = [scratch.path("one"), scratch.path("another/and/deeper")];
    let archives = thread::scope(|scope| {
        let builds = folders
            .each_ref()
            .map(|folder| scope.spawn(|| release(folder)));
        builds.map(|build| build.join().expect("it does not panic"))
    });
    let [one, another] = archives;
    let (one, another) = (one?, another?);
    ensure!(one.file_name() == another.file_name(), "two names");
    let (one, another) = (std::fs::read(one)?, std::fs::read(another)?);
    if one != another {
        let (one, another) = (entries(&one)?, entries(&another)?);
        let mut differ: Vec<_> = one.symmetric_difference(&another).collect();
        differ.dedup_by_key(|(path, _)| path);
        bail!("the archives of two clones differ in {differ:?}, or in how they are packed");
    }
    Ok(())
}

/// The path of each entry of an archive, with the sum of its content.
fn entries(archive: &[u8]) -> Result<BTreeSet<(String, String)>> {
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    let mut entries = BTreeSet::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        entries.insert((entry.path()?.display().to_string(), sha256(&content)));
    }
    Ok(entries)
}

/// Clones this repository into `folder`, and makes a release there.
fn release(folder: &Path) -> Result<PathBuf> {
    let mut clone = Command::new("git");
    run_command(clone.args(["clone", "--quiet"]).arg(root()).arg(folder))?;
    // The program that runs now makes it, for the other workspace: to build that twice as well would show nothing more.
    let mut dist = Command::new(std::env::current_exe()?);
    dist.arg("dist")
        .current_dir(folder)
        .env("CARGO_MANIFEST_DIR", folder.join("xtask"))
        .env("CARGO_TARGET_DIR", folder.join("target"));
    if std::env::var("E2E_DIST").as_deref() != Ok("long") {
        dist.envs(QUICK);
    }
    eprintln!("$ {dist:?}");
    Ok(output(&mut dist)?.trim().into())
}
