//! The benchmarks of `cargo xtask bench`, and the page that it writes.

mod core;
mod e2e;
mod instructions;
mod load;
mod page;
mod proxies;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum What {
    /// The counting and requests that wait: writes results and targets into BENCHMARKS.md.
    Core,
    /// The proxy: the activator beside nginx and haproxy, in turns (needs Debian's nginx-light, haproxy, wrk and nghttp2-client).
    E2e,
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
        What::E2e => e2e::run(),
        What::Instructions { update } => instructions::run(*update),
    }
}
