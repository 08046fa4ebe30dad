//! The README's first look: the program without a configuration, and one request, which starts its service.

use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::support::activator::{choose, program};
use crate::support::http::get;
use crate::support::process::{Process, wait_for_listener, wait_until};

pub(crate) fn run() -> Result<()> {
    let mut activator = Process::start(
        Command::new(program())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    )?;
    let (lines, log) = (activator.lines()?, activator.log()?);
    let address = "127.0.0.1:8012".parse()?;
    wait_for_listener(address)?;

    let asked = Instant::now();
    let answer = get(address, "/", &choose("hello"))?;
    ensure!(answer.status == 200, "status {}", answer.status);
    let (seen, line) = lines.recv_timeout(Duration::from_secs(1))?;
    let after = seen.duration_since(asked);
    println!("{line}\nfirst-request message {after:?} after the request");
    ensure!(
        line.contains(r#""cause":"first_request""#) && line.contains(r#""key":"default/hello""#)
    );
    ensure!(after < Duration::from_millis(50), "later than 50 ms");

    let cause = r#"cause="first_request""#;
    let started = logged(&log, "started revision=default/hello")?;
    ensure!(
        started.contains(cause) && started.contains("took="),
        "{started}"
    );

    let admin = "127.0.0.1:9090".parse()?;
    wait_until("no gauge", Duration::from_secs(2), || {
        let metrics = get(admin, "/metrics", "")?.body;
        Ok(metrics
            .contains("\nkn_revision_request_concurrency{")
            .then_some(()))
    })?;

    activator.signal("TERM")?;
    let status = activator.wait(Duration::from_secs(10))?;
    ensure!(status.success(), "the activator ended with {status}");
    let stopped = logged(&log, "revision=default/hello index=0 cause=\"shutdown\"")?;
    ensure!(stopped.contains("stopped: "), "{stopped}");
    Ok(())
}

/// Waits for a line of the log, and prints it.
fn logged(log: &Receiver<(Instant, String)>, text: &str) -> Result<String> {
    loop {
        let line = log.recv_timeout(Duration::from_secs(10));
        let (_, line) = line.with_context(|| format!("{text:?} is not logged"))?;
        if line.contains(text) {
            println!("{line}");
            return Ok(line);
        }
    }
}
