//! A release: a commit with the new version everywhere, checked as a whole, and a tag. Nothing leaves the machine.
//!
//! What is to happen is a [`Plan`], made from the [`State`] of the repository alone. It is printed, or printed and carried
//! out.

mod carry_out;
mod changelog;
mod mentions;
mod plan;
mod state;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use semver::Version;

use self::plan::Plan;
use self::state::State;
use crate::git::Git;

/// Of `cargo xtask release`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The new version, such as 0.2.0 or 0.2.0-rc.1.
    version: Version,
    /// Do it, instead of saying only what would be done.
    #[arg(long)]
    execute: bool,
}

pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let git = Git::at(root);
    let state = State::read(root, &git)?;
    let plan = Plan::new(&state, &options.version, &today())?;
    println!("{plan}");
    if !options.execute {
        println!("This is the plan only. With --execute it is carried out.");
        return Ok(());
    }
    carry_out::carry_out(&plan, &state, root, &git)?;
    println!("{}", plan.next());
    Ok(())
}

/// In UTC, as YYYY-MM-DD.
fn today() -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    now.split('T').next().unwrap_or_default().to_owned()
}
