//! Running other programs from the root of the workspace.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};

/// The root of the workspace: of the one that cargo runs it for, which may be another clone than it was built in.
pub(crate) fn root() -> &'static Path {
    static MEMBER: LazyLock<PathBuf> = LazyLock::new(|| {
        let given = std::env::var_os("CARGO_MANIFEST_DIR");
        given.map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
    });
    let root = MEMBER.parent();
    root.expect("xtask is a member below the root")
}

/// A command at the root of the workspace; `line` is split at blanks.
pub(crate) fn command(line: &str) -> Command {
    command_in(root(), line)
}

/// A command in another project's folder, whose `target` is its own.
pub(crate) fn command_at(folder: &Path, line: &str) -> Command {
    let mut command = command_in(folder, line);
    if folder != root() {
        command.env_remove("CARGO_TARGET_DIR");
    }
    command
}

fn command_in(folder: &Path, line: &str) -> Command {
    let mut words = line.split_whitespace();
    let program = match words.next().expect("a command line has a first word") {
        // The cargo that runs this task, so that both use one toolchain.
        "cargo" => std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()),
        program => program.into(),
    };
    let mut command = Command::new(program);
    command.args(words).current_dir(folder);
    command
}

/// Prints and runs a command; fails when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    eprintln!("$ {command:?}");
    let status = command
        .status()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(())
}

/// What a command prints on standard output; fails when it fails.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(std::process::Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        output.status
    );
    String::from_utf8(output.stdout).with_context(|| format!("{command:?} did not print text"))
}
