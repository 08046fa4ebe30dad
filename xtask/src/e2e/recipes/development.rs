//! `activator up`, and several services in one file.

use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use super::expect;
use super::trial::Trial;
use crate::support::process::{Process, wait_until};

const FILE: &str = "dev.toml";

pub(super) fn run() -> Result<()> {
    let trial = Trial::new("Development", &[])?;
    trial.write("site/page", "of the site\n")?;
    trial.write("page", "of this directory\n")?;

    let up = shell(&trial, "activator up ")?;
    expect(&trial.get("app.localhost", "/page")?, "of this directory")?;
    trial.stop(up)?;

    let activator = shell(&trial, "activator --config ")?;
    expect(&trial.get("site.localhost", "/page")?, "of the site")?;
    for host in ["api.localhost", "v2.api.localhost"] {
        expect(&trial.get(host, "/")?, &format!("hello from {host}"))?;
    }
    // A change replaces the instance, and no request fails meanwhile.
    let text = std::fs::read_to_string(trial.path(FILE))?;
    trial.write(FILE, &text.replace("hello from", "welcome to"))?;
    wait_until("no new instance", Duration::from_secs(20), || {
        let answer = trial.get("api.localhost", "/")?;
        expect(&answer, "api.localhost")?;
        Ok(answer.body.starts_with("welcome").then_some(()))
    })?;
    trial.stop(activator)
}

/// Runs a command of the page as a shell does.
fn shell(trial: &Trial, words: &str) -> Result<Process> {
    let line = trial.recipe.command(words)?;
    trial.serve(Command::new("sh").args(["-c", &format!("exec {line}")]))
}
