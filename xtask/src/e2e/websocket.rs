//! A WebSocket with Python's websockets on both sides, kept open through a drain.

use std::process::Stdio;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::python::Python;
use crate::support::activator::{Activator, revision};
use crate::support::process::{Process, Scratch, free_address, wait_for_listener, wait_until};

const DRAIN: Duration = Duration::from_secs(6);
/// The timeout for what should happen at once.
const SOON: Duration = Duration::from_secs(20);

type Lines = Receiver<(Instant, String)>;

pub(crate) fn run() -> Result<()> {
    let python = Python::prepare()?;
    let address = free_address()?;
    let (_server, server) = start(&python, &["serve", &address.port().to_string()])?;
    wait_for_listener(address)?;
    let scratch = Scratch::new("websocket")?;
    let reports = scratch.path("reports");
    let config = format!(
        "{}\n[[sink]]\nkind = \"json-lines\"\npath = \"{}\"\n",
        revision("echo", &[address]),
        reports.display()
    );
    let flags = ["--drain-timeout", &format!("{}s", DRAIN.as_secs())];
    let mut activator = Activator::start_with(&config, &flags)?;
    let (_client, client) = start(
        &python,
        &[
            "hold",
            &activator.http.to_string(),
            "Knative-Serving-Namespace=default",
            "Knative-Serving-Revision=echo",
        ],
    )?;
    ensure!(next(&client)?.1 == "open", "not all echoes came");
    wait_until("it is not counted as in flight", SOON, || {
        let gauges = activator.series("kn_revision_request_concurrency")?;
        Ok(gauges.values().any(|&value| value == 1.0).then_some(()))
    })?;

    activator.process.signal("TERM")?;
    let told = Instant::now();
    let mut last = told;
    let mut echoes = 0;
    let end = loop {
        let (at, line) = next(&client)?;
        match line.starts_with("echo ") {
            true if at > told => (echoes, last) = (echoes + 1, at),
            true => {}
            false => break line,
        }
    };
    let status = activator.process.wait(SOON)?;
    println!(
        "{echoes} echoes in the {:?} after SIGTERM; {end:?}; the activator ended after {:?}",
        last - told,
        told.elapsed()
    );
    ensure!(status.success(), "the activator ended with {status}");
    ensure!(end.starts_with("closed "), "the client was not closed");
    ensure!(next(&server)?.1.starts_with("closed "), "nor the server");
    ensure!(
        last - told > DRAIN - Duration::from_secs(2),
        "not held through the drain"
    );

    let reports = std::fs::read_to_string(reports)?;
    let last = reports.lines().last().context("nothing was reported")?;
    println!("the last report: {last}");
    ensure!(
        last.contains("default/echo"),
        "it is not in the last report"
    );
    Ok(())
}

fn start(python: &Python, words: &[&str]) -> Result<(Process, Lines)> {
    let mut script = python.script("websocket_echo.py");
    let mut process = Process::start(script.args(words).stdout(Stdio::piped()))?;
    let lines = process.lines()?;
    Ok((process, lines))
}

fn next(lines: &Lines) -> Result<(Instant, String)> {
    lines.recv_timeout(SOON).context("nothing more is printed")
}
