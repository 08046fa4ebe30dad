//! 200 connections under constant load: no error, and nothing in flight afterwards.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};

use super::nginx::Nginx;
use crate::command::output;
use crate::support::activator::{Activator, choose, revision};
use crate::support::process::{Process, wait_until};

/// Two ticks, and some time for the scrape.
const TWO_TICKS: Duration = Duration::from_millis(2_500);

pub(crate) fn run() -> Result<()> {
    let nginx = Nginx::start()?;
    let activator = Activator::start(&revision("files", &[nginx.address]))?;
    let report = output(&mut wrk(&activator, 30))?;
    println!("{report}");
    // wrk prints these lines only when there is something to count.
    for trouble in ["Socket errors", "Non-2xx"] {
        ensure!(!report.contains(trouble), "wrk saw errors");
    }
    activator.wait_for_idle(TWO_TICKS)?;
    println!("resident memory {} KiB", activator.process.resident_kib()?);
    activator.stop()
}

/// HTTP/2 by prior knowledge, on both sides of the activator.
pub(crate) fn run_http2() -> Result<()> {
    let nginx = Nginx::start()?;
    let activator = Activator::start(&revision("files", &[nginx.http2]))?;
    let mut h2load = Command::new("h2load");
    h2load.args([
        "--threads=2",
        "--clients=200",
        "--max-concurrent-streams=10",
    ]);
    h2load.arg("--duration=30");
    for header in choose("files").lines() {
        h2load.args(["--header", header]);
    }
    let report = output(h2load.arg(format!("http://{}/1k", activator.http2)))?;
    println!("{report}");
    for faultless in [
        " 0 failed, 0 errored, 0 timeout",
        " 2xx, 0 3xx, 0 4xx, 0 5xx",
    ] {
        ensure!(report.contains(faultless), "h2load saw errors");
    }
    ensure!(!report.contains(" 0 succeeded"), "h2load saw no response");
    activator.wait_for_idle(TWO_TICKS)?;
    println!("resident memory {} KiB", activator.process.resident_kib()?);
    activator.stop()
}

pub(crate) fn run_killed() -> Result<()> {
    let nginx = Nginx::start()?;
    let activator = Activator::start(&revision("files", &[nginx.address]))?;
    let wrk = Process::start(wrk(&activator, 20).stdout(Stdio::null()))?;
    wait_until(
        "no revision's gauge is above 0",
        Duration::from_secs(10),
        || {
            let gauges = activator.series("kn_revision_request_concurrency")?;
            Ok(gauges.values().any(|&value| value > 0.0).then_some(()))
        },
    )?;
    wrk.signal("KILL")?;
    let killed = std::time::Instant::now();
    activator.wait_for_idle(TWO_TICKS)?;
    println!(
        "all gauges are 0 again {:?} after the kill",
        killed.elapsed()
    );
    activator.stop()
}

fn wrk(activator: &Activator, seconds: u32) -> Command {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "2", "--connections", "200", "--latency"]);
    wrk.args(["--duration", &format!("{seconds}s")]);
    for header in choose("files").lines() {
        wrk.args(["--header", header]);
    }
    wrk.arg(format!("http://{}/1k", activator.http));
    wrk
}
