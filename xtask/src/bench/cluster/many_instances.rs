//! A hundred instances of one revision become ready within a second, under load.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};

use super::Scene;
use super::addresses::Addresses;
use super::results::{Results, Rounds, Target};
use super::stand_in::Seen;
use super::subject::Kind;
use crate::bench::load::succeeded;
use crate::command::output;
use crate::e2e::cluster::client::headers;
use crate::e2e::cluster::objects::Revision;
use crate::support::process::Scratch;

/// Instances before.
const FEW: usize = 2;
/// Instances that become ready at a time, and how often some do.
const STEP: usize = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// What the load is: it needs half of what the first instances can take.
const CONNECTIONS: usize = 100;
const RATE: usize = 2_000;
const LOAD: Duration = Duration::from_secs(7);
/// What is done only once is over by then.
const WARM: Duration = Duration::from_secs(2);
/// The length of what is measured, first without a change and then from the first change on.
const WINDOW: Duration = Duration::from_secs(2);

pub(super) fn revision() -> Revision {
    Revision::new("crowded", 10)
}

pub(super) fn run(scene: &Scene<'_>, results: &mut Results) -> Result<()> {
    let addresses = Addresses::of(scene.cluster, &revision().name)?;
    let all_addresses = &scene.stand_in.addresses;
    // CPU time and p99, without a change and with one.
    let mut all: [[Rounds; 2]; 2] = Default::default();
    for _ in 0..scene.size.rounds {
        for kind in Kind::ALL {
            addresses.set(&all_addresses[..FEW], &[])?;
            let turn = turn(scene, kind, &addresses)
                .with_context(|| format!("{} activator", kind.name()))?;
            for ([cpu, p99], window) in all.iter_mut().zip(turn) {
                cpu.push(kind, window.cpu * 1e3);
                p99.push(kind, window.p99 * 1e3);
            }
        }
    }
    let [[cpu_before, p99_before], [cpu, p99]] = &all;
    let name = |what: &str| format!("{} instances come, {what}", all_addresses.len());
    results.both(
        &name("before: CPU"),
        cpu_before.medians(),
        "ms",
        Target::None,
    );
    results.both(
        &name("before: p99"),
        p99_before.medians(),
        "ms",
        Target::None,
    );
    results.both(&name("CPU"), cpu.medians(), "ms", Target::Ratio(1.0));
    results.both(&name("p99"), p99.medians(), "ms", Target::Ratio(1.0));
    // Nothing of it takes part in what is measured next.
    addresses.set(&[], &[])
}

/// CPU time and the 99th percentile of latencies, in seconds.
struct Window {
    cpu: f64,
    p99: f64,
}

fn turn(scene: &Scene<'_>, kind: Kind, addresses: &Addresses<'_>) -> Result<[Window; 2]> {
    let (subject, stand_in) = (scene.stand.start(kind)?, &scene.stand_in);
    let scratch = Scratch::new("h2load")?;
    let log = scratch.path("log");
    let mut load = load(subject.http(), &log);
    let all = &stand_in.addresses;
    let (begins, cpu) = std::thread::scope(|scope| {
        let load = scope.spawn(move || succeeded(&output(&mut load)?));
        sleep(WARM);
        stand_in.take_seen();
        let mut begins = Vec::new();
        let mut cpu = vec![subject.cpu()?];
        begins.push(SystemTime::now());
        sleep(WINDOW);
        cpu.push(subject.cpu()?);
        begins.push(SystemTime::now());
        let begin = Instant::now();
        for (step, ready) in (FEW..=all.len()).step_by(STEP).enumerate() {
            let next = (ready + STEP).min(all.len());
            addresses.set(&all[..ready], &all[ready..next])?;
            sleep((begin + PAUSE * (step as u32 + 1)).saturating_duration_since(Instant::now()));
        }
        addresses.set(all, &[])?;
        let took = begin.elapsed();
        ensure!(took < WINDOW, "the API server took {took:.1?} to be told");
        sleep(WINDOW.saturating_sub(took));
        cpu.push(subject.cpu()?);
        load.join().expect("it only waits")?;
        Ok::<_, anyhow::Error>((begins, cpu))
    })?;
    let seen: HashMap<IpAddr, Seen> = stand_in.take_seen();
    let used = seen.values().filter(|seen| seen.requests > 0).count();
    ensure!(
        used == all.len(),
        "{used} of {} instances were used",
        all.len()
    );
    let latencies = latencies(&log)?;
    let window = |number: usize| {
        let begin = micros(begins[number])?;
        let end = begin + WINDOW.as_micros() as u64;
        let within = latencies.iter().filter(|(at, _)| (begin..end).contains(at));
        let mut within: Vec<u64> = within.map(|(_, latency)| *latency).collect();
        within.sort_unstable();
        let p99 = within.get(within.len() * 99 / 100).context("no request")?;
        Ok::<_, anyhow::Error>(Window {
            cpu: cpu[number + 1] - cpu[number],
            p99: *p99 as f64 / 1e6,
        })
    };
    Ok([window(0)?, window(1)?])
}

fn load(activator: SocketAddr, log: &std::path::Path) -> Command {
    let mut load = Command::new("h2load");
    load.args(["--h1", "-t", "1", "-c", &CONNECTIONS.to_string()]);
    load.args(["-D", &LOAD.as_secs().to_string()]);
    load.arg(format!("--rps={}", RATE / CONNECTIONS));
    load.arg(format!("--log-file={}", log.display()));
    for (name, value) in headers(&revision()) {
        // It writes the Host by itself.
        if name != "Host" {
            load.arg("--header").arg(format!("{name}: {value}"));
        }
    }
    load.arg(format!("http://{activator}/"));
    load
}

/// When each request was sent, and how long it took, in microseconds.
fn latencies(log: &std::path::Path) -> Result<Vec<(u64, u64)>> {
    let log = std::fs::read_to_string(log)?;
    let request = |line: &str| {
        let mut fields = line.split('\t');
        let (at, _, latency) = (fields.next()?, fields.next()?, fields.next()?);
        Some((at.parse().ok()?, latency.parse().ok()?))
    };
    let requests: Option<_> = log.lines().map(request).collect();
    requests.context("h2load's log is malformed")
}

fn micros(time: SystemTime) -> Result<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(u64::try_from(since.as_micros())?)
}
