//! Performance: what `cargo xtask bench` can measure, and the page that it writes.

mod core;
mod instructions;
mod page;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum What {
    /// The counting: runs the benchmarks of the reporter and writes their results and targets into BENCHMARKS.md.
    Core,
    /// Counts instructions (needs valgrind) and compares them with the committed counts.
    Instructions {
        /// Write the counts instead of comparing them.
        #[arg(long)]
        update: bool,
    },
}

pub(crate) fn run(what: &What) -> Result<()> {
    match what {
        What::Core => core::run(),
        What::Instructions { update } => instructions::run(*update),
    }
}
