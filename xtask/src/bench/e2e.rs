//! The activator beside nginx and haproxy as reverse proxies for the same server, in turns, on one machine.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::load::Work;
use super::page;
use super::proxies::{Backend, Proxy, Subject};
use crate::command::{self, command};
use crate::support::median::median;

/// Turns of each proxy at each load. Medians are over these.
const ROUNDS: usize = 3;
/// The length of a turn in seconds: at full load, then at half of it.
const SECONDS: u64 = 5;
const IDLE: Duration = Duration::from_secs(10);

const WORKS: [Work; 5] = [
    work(false, 50, 1),
    work(false, 500, 1),
    work(false, 50, 64),
    work(false, 500, 64),
    work(true, 50, 1),
];

const fn work(http2: bool, connections: usize, body_kib: usize) -> Work {
    Work {
        http2,
        connections,
        body_kib,
    }
}

/// The results of one proxy at one load.
#[derive(Default)]
struct Turns {
    requests_per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    resident_mib: Vec<f64>,
    /// Latencies in us at a fixed rate: the 50th, 99th and 99.9th percentile.
    percentiles: [Vec<f64>; 3],
}

/// Measures everything; prints it and writes it into BENCHMARKS.md.
pub(super) fn run() -> Result<()> {
    command::run(&mut command(
        "cargo build --release --package activator-bin",
    ))?;
    let backend = Backend::start(&[1, 64])?;
    let mut text = String::new();
    for work in WORKS {
        let results = compare(&backend, &work)?;
        table(&mut text, &work, &results)?;
    }
    let idle = idle_cpu(&backend)?;
    writeln!(
        text,
        "\nIdle, after a load: {:.2} % of one CPU.",
        idle * 100.0
    )?;
    println!("{text}");
    page::write("proxy", &text)
}

fn compare(backend: &Backend, work: &Work) -> Result<[Turns; 3]> {
    let mut all: [Turns; 3] = Default::default();
    for round in 0..ROUNDS {
        for (subject, turns) in Subject::ALL.into_iter().zip(&mut all) {
            eprintln!("{}: {}, round {}", work.name(), subject.name(), round + 1);
            let proxy = Proxy::start(subject, backend)?;
            let address = if work.http2 { proxy.http2 } else { proxy.http1 };
            // What is only done once is not what a request costs.
            work.saturate(address, 1)?;
            let before = proxy.cpu()?;
            let requests = work.saturate(address, SECONDS)?;
            turns.cpu_us.push((proxy.cpu()? - before) / requests * 1e6);
            turns.requests_per_second.push(requests / SECONDS as f64);
            turns.resident_mib.push(proxy.resident_mib()?);
        }
    }
    // One rate for all, which each of them can serve.
    let capacities = all.iter().map(|turns| median(&turns.requests_per_second));
    let rate = capacities.fold(f64::INFINITY, f64::min) / 2.0;
    for _ in 0..ROUNDS {
        for (subject, turns) in Subject::ALL.into_iter().zip(&mut all) {
            let proxy = Proxy::start(subject, backend)?;
            let address = if work.http2 { proxy.http2 } else { proxy.http1 };
            let latencies = work.latencies(address, rate, SECONDS)?;
            for (share, percentile) in [0.5, 0.99, 0.999].into_iter().zip(&mut turns.percentiles) {
                let index = (latencies.len() as f64 * share) as usize;
                percentile.push(latencies[index.min(latencies.len() - 1)] as f64);
            }
        }
    }
    Ok(all)
}

fn table(text: &mut String, work: &Work, results: &[Turns; 3]) -> Result<()> {
    writeln!(text, "\n{}:\n", work.name())?;
    writeln!(
        text,
        "| | requests/s | CPU per request | beside nginx | resident | p50 | p99 | p99.9 |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    let of_nginx = median(&results[Subject::Nginx as usize].cpu_us);
    for (subject, turns) in Subject::ALL.into_iter().zip(results) {
        let cpu = median(&turns.cpu_us);
        write!(
            text,
            "| {} | {:.0} | {cpu:.1} us | {:.2} | {:.1} MiB |",
            subject.name(),
            median(&turns.requests_per_second),
            cpu / of_nginx,
            median(&turns.resident_mib),
        )?;
        for percentile in &turns.percentiles {
            write!(text, " {:.2} ms |", median(percentile) / 1e3)?;
        }
        writeln!(text)?;
    }
    Ok(())
}

/// The share of one CPU that the idle activator takes.
fn idle_cpu(backend: &Backend) -> Result<f64> {
    let proxy = Proxy::start(Subject::Activator, backend)?;
    WORKS[0].saturate(proxy.http1, 1)?;
    sleep(Duration::from_secs(2));
    let before = proxy.cpu()?;
    sleep(IDLE);
    Ok((proxy.cpu()? - before) / IDLE.as_secs_f64())
}
