//! The fuzz targets, each for a while: on stable Rust, as `fuzz/README.md` says.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use toml::Table;

use crate::command::{command_at, run};

/// Of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One of the targets in fuzz/; by default all, one after the other.
    target: Option<String>,
    /// How long each runs, such as 30s or 2h.
    #[arg(long, default_value = "1m", value_parser = humantime::parse_duration)]
    time: Duration,
}

pub(crate) fn check(root: &Path, options: &Options) -> Result<()> {
    let folder = root.join("fuzz");
    let targets = targets(&folder)?;
    let chosen = match &options.target {
        None => targets,
        Some(target) => {
            let known = targets.join(", ");
            ensure!(
                targets.contains(target),
                "there is no fuzz target {target}, but: {known}"
            );
            vec![target.clone()]
        }
    };
    build(&folder)?;
    let mut failed = Vec::new();
    for target in &chosen {
        if let Err(error) = try_one(root, &folder, target, options.time) {
            eprintln!("{error:#}");
            failed.push(target.as_str());
        }
    }
    ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
    Ok(())
}

/// The names of the programs in the manifest.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let path = folder.join("Cargo.toml");
    let manifest = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let manifest: Table = manifest.parse()?;
    let programs = manifest.get("bin").and_then(|bin| bin.as_array());
    let names = programs
        .into_iter()
        .flatten()
        .filter_map(|bin| bin.get("name")?.as_str());
    Ok(names.map(str::to_owned).collect())
}

fn build(folder: &Path) -> Result<()> {
    let built = run(&mut command_at(folder, "cargo build --release --bins"));
    if built.is_err() && !has_compiler() {
        bail!(
            "libFuzzer is C++, and there is no compiler for it: `c++`, or what CXX names (Debian: g++)"
        );
    }
    built
}

fn has_compiler() -> bool {
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let mut version = Command::new(compiler);
    let version = version
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// What it finds is kept for the next time, below `target/fuzz`.
fn try_one(root: &Path, folder: &Path, target: &str, time: Duration) -> Result<()> {
    let finds = root.join("target/fuzz").join(target);
    fs::create_dir_all(&finds)?;
    let failures = root.join(format!("target/fuzz/failed-{target}-"));
    let before = fs::read_dir(&finds)?.count();
    let mut command = command_at(folder, "cargo run --quiet --release --bin");
    command
        .args([target, "--"])
        // 0 would have no end.
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        // One input that takes longer is a failure, too.
        .arg("-timeout=10")
        .arg(format!("-artifact_prefix={}", failures.display()))
        .arg("-verbosity=0")
        .args([&finds, &folder.join("corpus").join(target)]);
    run(&mut command).with_context(|| {
        format!(
            "{target}: the input that fails is {}*; to repeat it: cd fuzz && cargo run --release --bin {target} -- INPUT",
            failures.display()
        )
    })?;
    let found = fs::read_dir(&finds)?.count().saturating_sub(before);
    println!(
        "{target}: nothing fails; {found} further inputs in {}",
        finds.display()
    );
    Ok(())
}
