//! Whether the version of the libraries admits what has changed in them since the last release.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::run;
use crate::git::Git;
use crate::tools::Tool;

const CARGO_SEMVER_CHECKS: Tool = Tool {
    name: "cargo-semver-checks",
    version: "0.51.0",
};

pub(crate) fn check(root: &Path) -> Result<()> {
    let Some(tag) = Git::at(root).ask("describe --tags --abbrev=0 --match v[0-9]*") else {
        println!("There is no release yet to compare with.");
        return Ok(());
    };
    let program = CARGO_SEMVER_CHECKS.prepare(root)?;
    // Members that are not published are left out by the tool itself.
    run(Command::new(program).current_dir(root).args([
        "semver-checks",
        "--workspace",
        "--baseline-rev",
        &tag,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    const PROGRAM: &str = "target/tools/cargo-semver-checks-0.51.0/bin/cargo-semver-checks";

    /// A repository with a `cargo-semver-checks` that is a shell script.
    fn scratch(script: &str) -> Scratch {
        let scratch = Scratch::new();
        scratch.program(PROGRAM, script);
        scratch.commit();
        scratch
    }

    #[test]
    fn before_the_first_release_there_is_nothing_to_compare_with() {
        let scratch = scratch("exit 3");
        scratch.git("tag vendor");
        check(scratch.root()).unwrap();
    }

    #[test]
    fn the_last_release_is_what_counts() {
        let scratch = scratch("echo \"$@\" > said");
        scratch.git("tag v0.9.0");
        scratch.git("commit --quiet --allow-empty --message second");
        scratch.git("tag v0.10.0");
        scratch.git("commit --quiet --allow-empty --message third");
        check(scratch.root()).unwrap();
        let said = scratch.read("said");
        assert_eq!(said, "semver-checks --workspace --baseline-rev v0.10.0\n");
    }

    #[test]
    fn what_the_tool_finds_fails() {
        let scratch = scratch("exit 3");
        scratch.git("tag v0.1.0");
        let error = check(scratch.root()).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }
}
