//! The load of knative/serving issue 13583: 200 requests a second whose clients
//! give up after 1 s, for a service that can serve two at once.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::slow_server::SlowServer;
use crate::support::activator::{Activator, choose, revision};
use crate::support::process::Process;

/// `ACTIVATOR_E2E_OVERLOAD_MINUTES=10` runs the scene at full length.
const MINUTES: &str = "ACTIVATOR_E2E_OVERLOAD_MINUTES";

pub(crate) fn run() -> Result<()> {
    let minutes = match std::env::var(MINUTES) {
        Ok(minutes) => minutes.parse()?,
        Err(_) => 3_u64,
    };
    // What the first minutes touch for the first time is not growth.
    let warm_up = Duration::from_secs(60 * minutes.div_ceil(5));
    let length = Duration::from_secs(60 * minutes);

    let slow = SlowServer::start()?;
    let config = revision("busy", &[slow.address]) + "container_concurrency = 2\n";
    let activator = Activator::start(&config)?;
    let start = Instant::now();
    let mut load = Command::new("hey");
    load.args(["-c", "200", "-q", "1", "-t", "1", "-disable-keepalive"]);
    load.args(["-z", &format!("{}s", length.as_secs() + 5)]);
    for header in choose("busy").lines() {
        load.args(["-H", header]);
    }
    load.arg(format!("http://{}/?seconds=1", activator.http));
    let _load = Process::start(load.stdout(Stdio::null()))?;

    thread::sleep(warm_up);
    let early = activator.process.resident_kib()?;
    thread::sleep(length.saturating_sub(start.elapsed()));
    let late = activator.process.resident_kib()?;
    let queued = activator.series("kn_revision_request_queued")?;
    println!(
        "resident memory {early} KiB after {warm_up:?}, {late} KiB after {length:?}; queued now {queued:?}"
    );
    ensure!(late * 100 < early * 105, "memory grew by 5 % or more");
    drop(_load);
    activator.wait_for_idle(Duration::from_secs(5))?;
    activator.stop()
}
