//! `deploy/systemd`: what systemd's own tools say of it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command::{self, output, root};
use crate::support::activator::program;
use crate::support::process::Scratch;

/// Where the unit has the program.
const PROGRAM: &str = "/usr/bin/activator";

/// The page that states how exposed the unit is.
const PAGE: &str = "docs/operations.md";

pub(crate) fn run() -> Result<()> {
    let scratch = Scratch::new("units")?;
    let copy = |name: &str, to: &str| {
        let text = std::fs::read_to_string(root().join("deploy/systemd").join(name))?;
        let path = scratch.path(to);
        std::fs::create_dir_all(path.parent().context("a file is in a directory")?)?;
        std::fs::write(
            path,
            text.replace(PROGRAM, &program().display().to_string()),
        )
        .with_context(|| format!("cannot write {to}"))
    };
    let (service, socket) = (
        scratch.path("activator.service"),
        scratch.path("activator.socket"),
    );
    copy("activator.service", "activator.service")?;
    copy("activator.socket", "activator.socket")?;
    for (drop_ins, row) in [
        (None, "alone"),
        (Some("launch.conf"), "with `launch.conf`"),
        (Some("launch-users.conf"), "with both drop-ins"),
    ] {
        if let Some(name) = drop_ins {
            copy(name, &format!("activator.service.d/{name}"))?;
        }
        verify(&[&service, &socket])?;
        let stated = stated(row)?;
        command::run(
            Command::new("systemd-analyze")
                .args(["security", "--offline=true", "--no-pager"])
                .arg(format!("--threshold={:.0}", stated * 10.0))
                .arg(&service)
                .stdout(std::process::Stdio::null()),
        )
        .with_context(|| format!("more exposed than {stated}, which {PAGE} states {row}"))?;
    }
    copy("activator.sysusers", "usr/lib/sysusers.d/activator.conf")?;
    std::fs::create_dir_all(scratch.path("etc"))?;
    command::run(
        Command::new("systemd-sysusers")
            .arg(format!("--root={}", scratch.path("").display()))
            .arg("activator.conf"),
    )?;
    let users = std::fs::read_to_string(scratch.path("etc/passwd"))?;
    ensure!(users.starts_with("activator:x:"), "the users are {users:?}");
    Ok(())
}

/// systemd must find nothing to say about `units`.
fn verify(units: &[&Path]) -> Result<()> {
    let mut verify = Command::new("sh");
    // The page of the manual comes with packages.
    verify.args([
        "-c",
        "exec systemd-analyze verify --man=no \"$@\" 2>&1",
        "sh",
    ]);
    let said = output(verify.args(units))?;
    let about: Vec<_> = said
        .lines()
        .filter(|line| line.contains("activator"))
        .collect();
    ensure!(about.is_empty(), "systemd-analyze verify: {about:#?}");
    Ok(())
}

/// The figure in the page's table, in the row that begins with `what`.
fn stated(what: &str) -> Result<f64> {
    let page = std::fs::read_to_string(root().join(PAGE))?;
    let start = format!("| {what} |");
    let row = page.lines().find_map(|line| line.strip_prefix(&*start));
    let row = row.with_context(|| format!("no row {start} in {PAGE}"))?;
    let figure = row.split('|').next().unwrap_or_default().trim();
    figure
        .parse()
        .with_context(|| format!("{figure:?} is no number"))
}
