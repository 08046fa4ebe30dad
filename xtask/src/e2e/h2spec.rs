//! h2spec, which violates HTTP/2 and checks the reaction.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::go::Go;
use super::slow_server::SlowServer;
use crate::support::activator::{Activator, revision};

/// The port also speaks HTTP/1.1, and responds in HTTP/1.1 to anything else.
const EXPECTED: &str = "Sends invalid connection preface";

/// h2spec cannot send a header that names a revision, so its host does.
const HOST: &str = "patient.default.svc.cluster.local";

/// Frames after a request must come before its response, which would end the stream.
const PATH: &str = "/?seconds=0.3";

pub(crate) fn run() -> Result<()> {
    let go = Go::prepare()?;
    let slow = SlowServer::start()?;
    let config = revision("patient", &[slow.address]) + "protocol = \"http1\"\n";
    let activator = Activator::start(&config)?;
    let address = activator.http2;
    let hosts = std::env::temp_dir().join(format!("activator-e2e-hosts-{}", std::process::id()));
    std::fs::write(&hosts, format!("{} {HOST}\n", address.ip()))?;
    // The name is known to it alone.
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c"])
        .arg("mount --bind \"$0\" /etc/hosts && exec \"$@\"")
        .arg(&hosts)
        .arg(go.path("h2spec"))
        .args(["--strict", "--timeout", "5", "--path", PATH])
        .args(["--host", HOST, "--port", &address.port().to_string()])
        .output()
        .context("cannot start h2spec")?;
    std::fs::remove_file(&hosts)?;
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
