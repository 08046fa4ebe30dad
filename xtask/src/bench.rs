//! The benchmarks of `cargo xtask bench`, and the page that it writes.

mod cluster;
mod core;
mod e2e;
mod instructions;
mod load;
mod page;
mod proxies;
mod revisions;
mod table;

use anyhow::Result;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum What {
    /// The counting and requests that wait: writes results and targets into BENCHMARKS.md.
    Core,
    /// The proxy: the activator beside nginx, haproxy, Envoy, Traefik and Caddy, in turns (needs Debian's nginx-light,
    /// haproxy, wrk, nghttp2-client and python3-venv).
    E2e {
        /// One turn each of a second, and nothing is written.
        #[arg(long)]
        short: bool,
    },
    /// What many revisions cost, and changes of one: writes results and targets into BENCHMARKS.md.
    Revisions {
        /// A few seconds under load instead of a minute each, and nothing is written.
        #[arg(long)]
        short: bool,
    },
    /// The activator beside Knative's in a real cluster, in turns (needs root, and what `cargo xtask e2e cluster` needs).
    Cluster {
        /// One turn each with at most 1,000 revisions, and nothing is written.
        #[arg(long)]
        short: bool,
        /// Only parts whose names contain this, and nothing is written.
        part: Option<String>,
    },
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
        What::E2e { short } => e2e::run(*short),
        What::Revisions { short } => revisions::run(*short),
        What::Cluster { short, part } => cluster::run(*short, part.as_deref()),
        What::Instructions { update } => instructions::run(*update),
    }
}
