//! Releases of a scratch project, whose own `cargo xtask` notes what it is asked and passes unless there is a file `fail`.

use semver::Version;

use super::{Options, run};
use crate::scratch::Scratch;

const FILES: [(&str, &str); 10] = [
    (".gitignore", "target\n"),
    (
        ".cargo/config.toml",
        "[alias]\nxtask = \"run --quiet --package xtask --\"\n",
    ),
    (
        "Cargo.toml",
        r#"[workspace]
resolver = "3"
members = ["core", "xtask"]

[workspace.package]
version = "0.1.0"
edition = "2024"

[workspace.dependencies]
core = { package = "scratch-core", path = "core", version = "0.1.0" }
"#,
    ),
    (
        "Cargo.lock",
        r#"version = 4

[[package]]
name = "scratch-core"
version = "0.1.0"

[[package]]
name = "xtask"
version = "0.1.0"
dependencies = [
 "scratch-core",
]
"#,
    ),
    (
        "core/Cargo.toml",
        "[package]\nname = \"scratch-core\"\nversion.workspace = true\nedition.workspace = true\n",
    ),
    ("core/src/lib.rs", ""),
    (
        "xtask/Cargo.toml",
        "[package]\nname = \"xtask\"\nversion.workspace = true\nedition.workspace = true\n\n[dependencies]\ncore.workspace = true\n",
    ),
    (
        "xtask/src/main.rs",
        r#"use std::io::Write;

fn main() {
    let task = std::env::args().nth(1).unwrap();
    let mut asked = std::fs::File::options().create(true).append(true).open("../asked").unwrap();
    writeln!(asked, "{task} of {}", env!("CARGO_PKG_VERSION")).unwrap();
    std::process::exit(i32::from(std::path::Path::new("fail").exists()));
}
"#,
    ),
    (
        "CHANGELOG.md",
        "# Changelog\n\n## Unreleased\n\n### Added\n\n- It is there.\n",
    ),
    ("docs/image.md", "The image is `activator:0.1.0`.\n"),
];

fn scratch() -> Scratch {
    scratch_with(".gitignore", "target\n")
}

/// With another text at this path.
fn scratch_with(path: &str, text: &str) -> Scratch {
    let scratch = Scratch::new();
    for (path, text) in FILES {
        scratch.write(path, text);
    }
    scratch.write(path, text);
    scratch.commit();
    scratch
}

fn release(scratch: &Scratch, version: &str, execute: bool) -> Result<(), String> {
    let options = Options {
        version: version.parse::<Version>().unwrap(),
        execute,
    };
    run(scratch.root(), &options).map_err(|error| format!("{error:#}"))
}

/// All that a failed release must leave as it was.
fn everything(scratch: &Scratch) -> [String; 4] {
    [
        "show-ref --head",
        "status --porcelain --ignored",
        "worktree list",
        "diff HEAD",
    ]
    .map(|line| {
        let said = scratch.git(line);
        // Its checks may have been built.
        said.replace("!! target/\n", "")
    })
}

#[track_caller]
fn check_refused(scratch: &Scratch, version: &str, why: &str) {
    let before = everything(scratch);
    let error = release(scratch, version, true).unwrap_err();
    assert!(error.contains(why), "{error}");
    assert_eq!(everything(scratch), before);
}

#[test]
fn a_release_is_a_commit_and_a_tag() {
    let scratch = scratch();
    release(&scratch, "0.2.0", true).unwrap();

    let manifest = scratch.read("Cargo.toml");
    assert_eq!(manifest, FILES[2].1.replace("0.1.0", "0.2.0"));
    assert_eq!(
        scratch.read("Cargo.lock"),
        FILES[3].1.replace("0.1.0", "0.2.0")
    );
    assert_eq!(
        scratch.read("docs/image.md"),
        "The image is `activator:0.2.0`.\n"
    );
    let changelog = scratch.read("CHANGELOG.md");
    assert!(
        changelog.starts_with("# Changelog\n\n## Unreleased\n\n## 0.2.0 - 2"),
        "{changelog}"
    );

    // What was checked is what is tagged.
    assert_eq!(
        scratch.read("target/asked"),
        "ci of 0.2.0\nsemver of 0.2.0\n"
    );
    assert_eq!(scratch.git("log --format=%s"), "release: 0.2.0\nfirst\n");
    assert_eq!(
        scratch.git("rev-parse v0.2.0^{commit}"),
        scratch.git("rev-parse main")
    );
    assert_eq!(scratch.git("cat-file -t v0.2.0"), "tag\n");
    let message = scratch.git("tag --list --format=%(contents) v0.2.0");
    assert_eq!(
        message.trim(),
        "activator 0.2.0\n\n### Added\n\n- It is there."
    );
    assert_eq!(scratch.git("status --porcelain"), "");
    assert_eq!(scratch.git("worktree list").lines().count(), 1);

    check_refused(&scratch, "0.2.0", "there is a tag v0.2.0 already");
    check_refused(&scratch, "0.3.0", "is empty");
}

#[test]
fn a_plan_changes_nothing() {
    let scratch = scratch();
    let before = everything(&scratch);
    release(&scratch, "0.2.0", false).unwrap();
    assert_eq!(everything(&scratch), before);
}

#[test]
fn failing_checks_leave_everything_as_it_was() {
    let scratch = scratch_with("fail", "");
    check_refused(&scratch, "0.2.0", "\"ci\" failed: exit status: 1");
    assert_eq!(scratch.read("target/asked"), "ci of 0.2.0\n");
}

#[test]
fn a_lock_file_that_does_not_fit_leaves_everything_as_it_was() {
    let lock = FILES[3].1.replace(" \"scratch-core\",\n", "");
    let scratch = scratch_with("Cargo.lock", &lock);
    check_refused(&scratch, "0.2.0", "Cargo.lock does not fit");
}

#[test]
fn whoever_works_on_while_the_checks_run_loses_nothing() {
    let main = FILES[7].1.replace(
        "    std::process",
        "    std::fs::write(\"../../new\", \"\").unwrap();\n    std::process",
    );
    let scratch = scratch_with("xtask/src/main.rs", &main);
    let error = release(&scratch, "0.2.0", true).unwrap_err();
    assert!(error.contains("the repository has changed"), "{error}");
    assert_eq!(scratch.git("status --porcelain"), "?? new\n");
    assert_eq!(scratch.git("tag --list"), "");
    assert_eq!(scratch.git("log --format=%s"), "first\n");
}

#[test]
fn what_git_says_against_it_is_refused() {
    let scratch = scratch();
    scratch.git("checkout --quiet -b topic");
    check_refused(&scratch, "0.2.0", "the branch is topic");
    scratch.git("checkout --quiet --detach main");
    check_refused(&scratch, "0.2.0", "no branch is checked out");
    scratch.git("checkout --quiet main");

    scratch.write("notes", "");
    check_refused(&scratch, "0.2.0", "not everything is committed: ?? notes");
    scratch.git("add notes");
    check_refused(&scratch, "0.2.0", "not everything is committed: A  notes");
    scratch.git("commit --quiet --message second");

    // Emptied here, whatever the machine's own configuration says.
    scratch.write(
        ".git/config",
        &format!(
            "{}[user]\n\tname =\n\temail =\n",
            scratch.read(".git/config")
        ),
    );
    check_refused(&scratch, "0.2.0", "git does not know who commits");
}
