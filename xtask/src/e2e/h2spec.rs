//! h2spec, which sends what HTTP/2 does not allow and looks at what becomes of it.

use anyhow::{Context, Result, ensure};

use super::activator::{Activator, revision};
use super::go::Go;

/// The port speaks HTTP/1.1, too: whoever begins with something else is told so in HTTP/1.1.
const EXPECTED: &str = "Sends invalid connection preface";

pub(crate) fn run() -> Result<()> {
    let go = Go::prepare()?;
    let activator = Activator::start(&revision("nobody", &[]))?;
    let address = activator.http2;
    let output = go
        .program("h2spec")
        .args(["--strict", "--timeout", "5"])
        .args(["--host", &address.ip().to_string()])
        .args(["--port", &address.port().to_string()])
        .output()
        .context("cannot start h2spec")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let failures = text.split_once("Failures:").map_or("", |(_, text)| text);
    let failed: Vec<_> = failures
        .lines()
        .filter(|line| line.trim_start().starts_with('×'))
        .collect();
    ensure!(
        failed.len() == 1 && failed[0].ends_with(EXPECTED),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let summary = text.lines().rfind(|line| line.contains(" tests, "));
    let summary = summary.context("h2spec does not say how many passed")?;
    ensure!(
        summary.ends_with(" 0 skipped, 1 failed"),
        "h2spec says {summary:?}"
    );
    println!("{summary}: the preface of a port that speaks HTTP/1.1 as well");
    activator.stop()
}
