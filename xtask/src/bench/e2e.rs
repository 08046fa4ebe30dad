//! The activator as a reverse proxy beside others, for the same server, in turns, on one machine.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::load::Work;
use super::page;
use super::proxies::{Backend, Proxy, Subject};
use super::table::{Measured, Target, table as verdicts};
use crate::e2e::python::Python;
use crate::support::activator;
use crate::support::median::median;

/// Turns of each proxy at each load, and the length of one in seconds: at full load, then at half of it. Medians are
/// over the turns.
struct Turn {
    rounds: usize,
    seconds: u64,
}

const IDLE: Duration = Duration::from_secs(10);

const WORKS: [Work; 7] = [
    http1(50, 1),
    http1(500, 1),
    http1(50, 64),
    http1(500, 64),
    http2(50, 4),
    http2(100, 1),
    // What an ingress does.
    http2(1, 100),
];

/// Each asks once a second. As many as each proxy has files for, with one more for each to the backend.
const CROWD: Work = http1(9_500, 1);

const fn http1(connections: usize, body_kib: usize) -> Work {
    Work {
        http2: false,
        connections,
        streams: 1,
        body_kib,
    }
}

const fn http2(connections: usize, streams: usize) -> Work {
    Work {
        http2: true,
        connections,
        streams,
        body_kib: 1,
    }
}

const TARGETS: &[Target] = &[
    ("HTTP/1.1, 500 connections, 1 KiB", "CPU to nginx's", 1.1),
    ("HTTP/1.1, 500 connections, 64 KiB", "p99 to nginx's", 1.2),
    ("HTTP/1.1, 500 connections, 64 KiB", "resident", 40.0),
    ("9500 connections", "haproxy's", 1.2),
    ("", "CPU to Envoy's", 0.5),
    ("", "CPU to Traefik's", 0.5),
    ("", "CPU to Caddy's", 0.5),
];

/// The results of one proxy at one load.
#[derive(Default)]
struct Turns {
    requests_per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    resident_mib: Vec<f64>,
    /// Latencies in us at a fixed rate: the 50th, 99th and 99.9th percentile.
    percentiles: [Vec<f64>; 3],
}

impl Turns {
    fn add_percentiles(&mut self, latencies: &[u64]) {
        for (share, percentile) in [0.5, 0.99, 0.999].into_iter().zip(&mut self.percentiles) {
            let index = (latencies.len() as f64 * share) as usize;
            percentile.push(latencies[index.min(latencies.len() - 1)] as f64);
        }
    }
}

/// The results of all proxies at one load.
type Results = Vec<(Subject, Turns)>;

/// Measures everything; prints it and, unless `short`, writes it into BENCHMARKS.md.
pub(super) fn run(short: bool) -> Result<()> {
    activator::build()?;
    Python::with("e2e/proxies.txt")?;
    let turn = if short {
        Turn {
            rounds: 1,
            seconds: 1,
        }
    } else {
        Turn {
            rounds: 3,
            seconds: 5,
        }
    };
    let backend = Backend::start(&[1, 64])?;
    let mut text = String::new();
    let mut measured = Vec::new();
    for work in WORKS {
        let results = compare(&backend, &work, &turn)?;
        table(&mut text, &work.name(), &results)?;
        measured.extend(beside(&work.name(), &results));
    }
    let results = crowd(&backend, &turn)?;
    let name = format!(
        "{} connections, each asks once a second, 1 KiB",
        CROWD.connections
    );
    table(&mut text, &name, &results)?;
    measured.extend(beside(&name, &results));
    let idle = idle_cpu(&backend)?;
    writeln!(
        text,
        "\nIdle, after a load: {:.2} % of one CPU.\n",
        idle * 100.0
    )?;
    text += &verdicts(&measured, TARGETS);
    println!("{text}");
    if short {
        return Ok(());
    }
    page::write("proxy", &text)
}

fn compare(backend: &Backend, work: &Work, turn: &Turn) -> Result<Results> {
    let all = Subject::LEAN.into_iter().chain(Subject::HEAVIER);
    let mut all: Results = all.map(|subject| (subject, Turns::default())).collect();
    for round in 0..turn.rounds {
        for (subject, turns) in &mut all {
            eprintln!("{}: {}, round {}", work.name(), subject.name(), round + 1);
            let proxy = Proxy::start(*subject, backend)?;
            let address = if work.http2 { proxy.http2 } else { proxy.http1 };
            // What is only done once is not what a request costs.
            work.saturate(address, 1)?;
            let before = proxy.cpu()?;
            let requests = work.saturate(address, turn.seconds)?;
            turns.cpu_us.push((proxy.cpu()? - before) / requests * 1e6);
            turns
                .requests_per_second
                .push(requests / turn.seconds as f64);
            turns.resident_mib.push(proxy.resident_mib()?);
        }
    }
    let lean = &mut all[..Subject::LEAN.len()];
    let capacities = lean
        .iter()
        .map(|(_, turns)| median(&turns.requests_per_second));
    let rate = capacities.fold(f64::INFINITY, f64::min) / 2.0;
    for _ in 0..turn.rounds {
        for (subject, turns) in &mut *lean {
            let proxy = Proxy::start(*subject, backend)?;
            let address = if work.http2 { proxy.http2 } else { proxy.http1 };
            turns.add_percentiles(&work.latencies(address, rate, turn.seconds)?);
        }
    }
    Ok(all)
}

/// CPU includes that of connecting.
fn crowd(backend: &Backend, turn: &Turn) -> Result<Results> {
    let mut all: Results = Subject::LEAN.map(|it| (it, Turns::default())).into();
    for round in 0..turn.rounds {
        for (subject, turns) in &mut all {
            eprintln!("crowd: {}, round {}", subject.name(), round + 1);
            let proxy = Proxy::start(*subject, backend)?;
            let before = proxy.cpu()?;
            let seconds = 3 * turn.seconds;
            let (latencies, resident) = std::thread::scope(|scope| {
                // All have connected within a second.
                let resident = scope.spawn(|| {
                    sleep(Duration::from_secs(seconds));
                    proxy.resident_mib()
                });
                let latencies = CROWD.latencies(proxy.http1, CROWD.connections as f64, seconds)?;
                let resident = resident.join().expect("a look does not panic")?;
                anyhow::Ok((latencies, resident))
            })?;
            let requests = latencies.len() as f64;
            turns.cpu_us.push((proxy.cpu()? - before) / requests * 1e6);
            turns.requests_per_second.push(requests / seconds as f64);
            turns.resident_mib.push(resident);
            turns.add_percentiles(&latencies);
        }
    }
    Ok(all)
}

fn table(text: &mut String, name: &str, results: &Results) -> Result<()> {
    writeln!(text, "\n{name}:\n")?;
    writeln!(
        text,
        "| | requests/s | CPU per request | beside nginx | resident | p50 | p99 | p99.9 |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    let of_nginx = median(&results[Subject::Nginx as usize].1.cpu_us);
    for (subject, turns) in results {
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
            if percentile.is_empty() {
                write!(text, " |")?;
            } else {
                write!(text, " {:.2} ms |", median(percentile) / 1e3)?;
            }
        }
        writeln!(text)?;
    }
    Ok(())
}

/// The activator's results that have a target, most of them beside another proxy's.
fn beside(name: &str, results: &Results) -> Vec<Measured> {
    let (_, ours) = &results[Subject::Activator as usize];
    let measured = |what: String, value: f64, unit: &str| Measured {
        name: format!("{name}: {what}"),
        value,
        unit: unit.to_owned(),
    };
    let resident = median(&ours.resident_mib);
    let mut all = vec![measured("resident".to_owned(), resident, "MiB")];
    for (subject, theirs) in &results[1..] {
        for (what, ours, theirs) in [
            ("CPU", &ours.cpu_us, &theirs.cpu_us),
            ("resident", &ours.resident_mib, &theirs.resident_mib),
            ("p99", &ours.percentiles[1], &theirs.percentiles[1]),
        ] {
            if !theirs.is_empty() {
                let what = format!("{what} to {}'s", subject.name());
                all.push(measured(what, median(ours) / median(theirs), "x"));
            }
        }
    }
    let has_target = |name: &str| {
        let is_for = |(start, end, _): &Target| name.starts_with(start) && name.ends_with(end);
        TARGETS.iter().any(is_for)
    };
    all.retain(|it| has_target(&it.name));
    all
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
