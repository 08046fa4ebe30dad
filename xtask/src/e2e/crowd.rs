//! 10,000 idle connections and 1,000 with requests that never end, beside normal traffic.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::nginx::Nginx;
use crate::command::{output, root};
use crate::support::activator::{Activator, choose, revision};
use crate::support::median::median;
use crate::support::process::Process;

const IDLE: u32 = 10_000;
const SLOW: u32 = 1_000;
/// With and without the crowd in turns, so that other load on the machine affects both.
const ROUNDS: usize = 3;
/// Shorter times depend on the other programs on the machine.
const FLOOR: Duration = Duration::from_millis(10);
/// The memory per connection that the allocator may keep.
const KIB_EACH: u64 = 64;

pub(crate) fn run() -> Result<()> {
    let nginx = Nginx::start()?;
    // The default may be less where few files may be open.
    let most = (IDLE + SLOW + 1_000).to_string();
    let flags = ["--limits-max-connections", &most];
    let activator = Activator::start_with(&revision("files", &[nginx.address]), &flags)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        without.push(percentile_99(&activator)?);
        let mut crowd = Process::start(
            Command::new("python3")
                .arg(root().join("e2e/crowd.py"))
                .arg(activator.http.to_string())
                .args([IDLE.to_string(), SLOW.to_string()])
                .args(choose("files").lines())
                .stdout(Stdio::piped()),
        )?;
        let lines = crowd.lines()?;
        let line = || lines.recv_timeout(Duration::from_secs(60));
        line().context("the crowd is not connected")?;
        with.push(percentile_99(&activator)?);
        let memory = activator.process.resident_kib()?;
        crowd.signal("TERM")?;
        println!("resident memory {memory} KiB; of the crowd, {}", line()?.1);
        ensure!(
            memory < KIB_EACH * u64::from(IDLE + SLOW),
            "too much memory"
        );
    }
    println!("99th percentiles {without:?} without the crowd, {with:?} with it");
    let (without, with) = (median(&without), median(&with));
    println!("in the median {without:?} and {with:?}");
    ensure!(with <= 2 * without.max(FLOOR), "it more than doubled");
    activator.stop()
}

/// The latency of 500 requests a second, all of which must succeed.
fn percentile_99(activator: &Activator) -> Result<Duration> {
    let mut hey = Command::new("hey");
    hey.args(["-z", "5s", "-c", "20", "-q", "25"]);
    for header in choose("files").lines() {
        hey.args(["-H", header]);
    }
    let report = output(hey.arg(format!("http://{}/1k", activator.http)))?;
    let good = report.contains("[200]") && !report.contains("Error distribution");
    let bad = |line: &str| line.trim().starts_with('[') && !line.contains("[200]");
    ensure!(good && !report.lines().any(bad), "errors: {report}");
    let line = report
        .lines()
        .find_map(|line| line.trim().strip_prefix("99% in "));
    let seconds = line.and_then(|line| line.strip_suffix(" secs"));
    let seconds: f64 = seconds.context("no 99th percentile")?.parse()?;
    Ok(Duration::from_secs_f64(seconds))
}
