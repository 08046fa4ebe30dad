//! Mutation testing: a mutant of the core that passes all tests shows a missing test.

use anyhow::Result;

use crate::command::{self, command};

pub(crate) fn run() -> Result<()> {
    command::run(&mut command(
        "cargo mutants --package reporter-core --jobs 1",
    ))
}
