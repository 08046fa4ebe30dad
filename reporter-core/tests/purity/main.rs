//! The core needs nothing from its host: no `std`, and only the dependencies named here.
//!
//! Both checks build and ask for the core alone: another member of the workspace may turn on the `std` feature
//! of a crate that the core uses too.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Everything that the core is built from, itself included.
const ALLOWED: [&str; 5] = [
    "equivalent",
    "foldhash",
    "hashbrown",
    "indexmap",
    "reporter-core",
];

fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        // What this test was built with or for (coverage, another machine) is not what is asked.
        .env_remove("CARGO_BUILD_TARGET")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    cargo
}

/// Runs it, and answers what it printed: on success stdout, else stderr.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().expect("the toolchain runs");
    let text = |bytes| String::from_utf8(bytes).expect("the toolchain prints UTF-8");
    if output.status.success() {
        Ok(text(output.stdout))
    } else {
        Err(text(output.stderr))
    }
}

#[test]
fn the_dependency_tree_holds_what_is_named_and_no_std_feature() {
    let tree = run(cargo().args([
        "tree",
        "--package",
        "reporter-core",
        "--edges",
        "normal",
        "--offline",
        "--prefix",
        "none",
        "--format",
        "{p}|{f}",
        "--no-dedupe",
    ]))
    .unwrap();
    let mut found = Vec::new();
    for line in tree.lines() {
        let (package, features) = line.split_once('|').expect("the format has a bar");
        let name = package.split(' ').next().expect("a package has a name");
        found.push(name);
        let std = features.split(',').find(|feature| feature.contains("std"));
        assert_eq!(std, None, "of {package}");
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ALLOWED);
}

#[test]
fn a_crate_without_std_is_built_on_the_core() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("purity");
    run(cargo()
        .args([
            "build",
            "--package",
            "reporter-core",
            "--lib",
            "--offline",
            "--target-dir",
        ])
        .arg(&target))
    .unwrap();
    let built = target.join("debug");

    build_proof(&built, &[]).unwrap();

    // That the proof can fail is part of it.
    let refused = build_proof(&built, &["--cfg", "spoiled"]).unwrap_err();
    assert!(refused.contains("duplicate lang item"), "{refused}");
}

fn build_proof(built: &Path, flags: &[&str]) -> Result<String, String> {
    let core = built.join("libreporter_core.rlib");
    let dependencies = built.join("deps");
    let source = ["tests", "purity", "proof.rs"].iter().collect::<PathBuf>();
    run(
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args([
                "--edition",
                "2024",
                "--crate-type",
                "lib",
                "--check-cfg",
                "cfg(spoiled)",
            ])
            .args(flags)
            .arg("--extern")
            .arg(format!("reporter_core={}", core.display()))
            .arg("-L")
            .arg(format!("dependency={}", dependencies.display()))
            .arg("--out-dir")
            .arg(built)
            .arg(source),
    )
}
