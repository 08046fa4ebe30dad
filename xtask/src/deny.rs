//! What the dependencies may be: their licences, versions and sources, as `deny.toml` says.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::command::run;
use crate::tools::Tool;

const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
};

pub(crate) fn check(root: &Path) -> Result<()> {
    run(Command::new(CARGO_DENY.prepare(root)?)
        .current_dir(root)
        .args([
            "--locked",
            "--all-features",
            "check",
            "bans",
            "licenses",
            "sources",
        ]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    /// A checkout with a `cargo-deny` that is a shell script.
    fn scratch(script: &str) -> Scratch {
        let scratch = Scratch::new();
        scratch.program("target/tools/cargo-deny-0.20.2/bin/cargo-deny", script);
        scratch
    }

    #[test]
    fn the_tool_is_asked_for_all_but_advisories() {
        let scratch = scratch("echo \"$@\" > said");
        check(scratch.root()).unwrap();
        let said = scratch.read("said");
        assert_eq!(
            said,
            "--locked --all-features check bans licenses sources\n"
        );
    }

    #[test]
    fn what_the_tool_refuses_fails() {
        let error = check(scratch("exit 3").root()).unwrap_err();
        assert!(error.to_string().contains("exit status: 3"), "{error}");
    }
}
