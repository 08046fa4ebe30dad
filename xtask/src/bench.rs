//! Measurements, printed and kept in BENCHMARKS.md.

mod e2e;
mod load;
mod proxies;
mod report;

use anyhow::Result;
use clap::Subcommand;

/// What can be measured.
#[derive(Clone, Copy, Subcommand)]
pub(crate) enum Bench {
    /// The activator beside nginx and haproxy (Debian's nginx-light, haproxy, wrk and nghttp2-client).
    E2e,
}

pub(crate) fn run(bench: Bench) -> Result<()> {
    match bench {
        Bench::E2e => report::write("proxies", &e2e::run()?),
    }
}
