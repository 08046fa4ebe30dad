//! Developer tasks: `cargo xtask TASK`. CI runs `cargo xtask ci`.

mod archive;
mod bench;
mod ci;
mod command;
mod deb;
mod deny;
mod dist;
mod e2e;
mod fuzz;
mod git;
mod image;
#[cfg(test)]
mod links;
mod monitoring;
mod mutants;
mod package;
mod program;
mod release;
#[cfg(test)]
mod scratch;
mod semver;
mod sums;
mod support;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::command::root;

/// What `cargo xtask` can do.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Formatting, lints, docs, and what the dependencies may be.
    Check,
    /// The libraries as a registry would have them: packed, built and tried from there.
    Package,
    /// All checks of a change: the tests, `check`, `package`, `bench instructions` and `e2e`.
    Ci,
    /// The activator among real programs: nginx, wrk, curl, an autoscaler in Python, and a Knative cluster.
    E2e {
        /// Run only scenes whose names contain this.
        scene: Option<String>,
    },
    /// Performance, beside floors and targets.
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
    /// Breaking changes of the libraries since the last release that its version does not admit.
    ///
    /// Compares with the last tag `v*` that this commit descends from, by cargo-semver-checks, which is built for it the
    /// first time. Without a tag there is nothing to compare with, and that is fine.
    Semver,
    /// The plan of a release; with --execute, the release: a commit and a tag, neither of which is pushed.
    ///
    /// The version is set everywhere, and the changelog's section "Unreleased" becomes that of the version. In a checkout of
    /// its own, below target/, that is committed and has to pass `cargo xtask ci` and `cargo xtask semver`. Then it is tagged,
    /// and main moves to it. Whatever fails, nothing has changed.
    Release(release::Options),
    /// The fuzz targets of fuzz/, each for a while, on stable Rust with a C++ compiler.
    ///
    /// Inputs that lead somewhere new are kept in target/fuzz, where the next run begins; one that fails is beside them.
    Fuzz(fuzz::Options),
    /// Mutation testing of reporter-core (needs cargo-mutants).
    Mutants,
    /// A release for one target, in target/dist: the same bytes wherever it is made from the same commit.
    ///
    /// The archive has the optimised program, which needs no library beside it, completions, the manual page, the licences of
    /// all that is linked into it, a list of that in CycloneDX (SBOM), docs/ and deploy/, and SHA-256 sums. The time of all
    /// files is that of the commit, or SOURCE_DATE_EPOCH. The sums of all archives and packages of this version are in
    /// target/dist/SHA256SUMS.
    Dist(dist::Options),
    /// A Debian package for one target, in target/dist: the same bytes wherever it is made from the same commit.
    ///
    /// It has what the archive of `dist` has, with the units for systemd and the activator's user, and the configuration in
    /// /etc/activator.toml. DEBFULLNAME and DEBEMAIL name its maintainer. It needs dpkg-deb.
    Deb(dist::Options),
    /// An image for Kubernetes, in target/dist: one archive for kind, docker and skopeo.
    Image,
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Check => ci::check(),
        Task::Package => package::check(root()),
        Task::Ci => ci::run(),
        Task::E2e { scene } => e2e::run(scene.as_deref()),
        Task::Bench { what } => bench::run(&what),
        Task::Semver => semver::check(root()),
        Task::Release(options) => release::run(root(), &options),
        Task::Fuzz(options) => fuzz::check(root(), &options),
        Task::Mutants => mutants::run(),
        Task::Dist(options) => dist::run(&options),
        Task::Deb(options) => deb::run(&options),
        Task::Image => image::run(),
    }
}
