//! The README's first look: the program without a configuration, and one request.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::support::activator::{choose, program};
use crate::support::http::get;
use crate::support::process::{Process, wait_for_listener, wait_until};

pub(crate) fn run() -> Result<()> {
    let mut activator = Process::start(Command::new(program()).stdout(Stdio::piped()))?;
    let lines = activator.lines()?;
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
    Ok(())
}
