//! Mutation testing: every change to the core that no test notices is a missing test.

use anyhow::Result;

use crate::command::{self, command};

pub(crate) fn run() -> Result<()> {
    command::run(&mut command(
        "cargo mutants --package reporter-core --jobs 1",
    ))
}
