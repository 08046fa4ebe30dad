//! What many revisions cost that sleep, and changes of one among them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::page;
use super::table::{Measured, Target, table};
use crate::command::{command, output};
use crate::support::activator::{Activator, build, choose};
use crate::support::http::get;
use crate::support::median::median;
use crate::support::process::wait_until;

const COUNTS: [usize; 3] = [1_000, 10_000, 100_000];

/// Revisions that get requests.
const BUSY: usize = 100;

/// The allocator has given back by then what it keeps for a while.
const SETTLED: Duration = Duration::from_secs(12);

const TARGETS: &[Target] = &[
    ("100000 revisions, resident", "without traffic", 100.0),
    ("100000 revisions, resident", "after a reload", 110.0),
    (
        "100000 revisions, resident",
        "more while the list is read",
        4.0,
    ),
    ("100000 revisions, to /readyz 200", "", 500.0),
    (
        "100000 revisions, /metrics",
        "nothing has had traffic, size",
        20.0,
    ),
    ("100000 revisions, /metrics", "100 have, size", 1_000.0),
    ("100000 revisions, /metrics", "time", 10.0),
    ("", "revisions, a change, p50", 50.0),
    ("100000 revisions, 1,000 changes a second", "CPU", 10.0),
    (
        "100000 revisions, 1,000 changes a second",
        "p99, to that without",
        1.1,
    ),
];

pub(crate) fn run(short: bool) -> Result<()> {
    let mut results = Vec::new();
    build()?;
    for count in COUNTS {
        process(count, &mut results)?;
    }
    let seconds = if short { 3 } else { 60 };
    let line = format!("cargo bench --package activator-bin --bench revisions -- {seconds}");
    let lines = output(&mut command(&line))?;
    results.extend(lines.lines().filter_map(Measured::parse));
    results.sort_by_key(|result| number(&result.name));
    let table = table(&results, TARGETS);
    print!("{table}");
    if short {
        return Ok(());
    }
    page::write("revisions", &table)
}

/// The number that a name begins with.
fn number(name: &str) -> u64 {
    let (number, _) = name.split_once(' ').unwrap_or((name, ""));
    number.parse().unwrap_or(u64::MAX)
}

/// A whole process with so many revisions.
fn process(count: usize, results: &mut Vec<Measured>) -> Result<()> {
    let mut result = |name: &str, value: f64, unit: &str| {
        results.push(Measured {
            name: format!("{count} revisions, {name}"),
            value,
            unit: unit.to_owned(),
        });
    };
    let backend = backend()?;
    let config = file(count, backend);
    let begin = Instant::now();
    let activator = Activator::start(&config)?;
    wait_until("not ready", Duration::from_secs(60), || {
        Ok((get(activator.admin, "/readyz", "")?.status == 200).then_some(()))
    })?;
    result("to /readyz 200", millis(begin.elapsed()), "ms");
    thread::sleep(SETTLED);
    let mib = || Ok::<_, anyhow::Error>(activator.process.resident_kib()? as f64 / 1_024.0);
    result("resident without traffic", mib()?, "MiB");
    let (size, time) = metrics(&activator)?;
    result("/metrics when nothing has had traffic, size", size, "kB");
    result("/metrics when nothing has had traffic, time", time, "ms");

    activator.write_config(&config.replacen("queue_depth = 7", "queue_depth = 8", 1))?;
    wait_until("not reloaded", Duration::from_secs(60), || {
        let shown = get(
            activator.admin,
            &format!("/v1/revisions/default/{}", name(0)),
            "",
        )?;
        Ok(shown.body.contains("\"queue_depth\":8").then_some(()))
    })?;
    thread::sleep(SETTLED);
    result("resident after a reload", mib()?, "MiB");

    let before = mib()?;
    let is_over = AtomicBool::new(false);
    let (listed, most) = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut most = before;
            while !is_over.load(Ordering::Relaxed) {
                most = mib().unwrap_or(before).max(most);
                thread::sleep(Duration::from_millis(2));
            }
            most
        });
        let listed = get(activator.admin, "/v1/revisions", "");
        is_over.store(true, Ordering::Relaxed);
        (listed, watching.join().expect("it only looks"))
    });
    ensure!(
        listed?.body.contains(&name(count - 1)),
        "the list is not whole"
    );
    result(
        "resident, more while the list is read",
        most - before,
        "MiB",
    );

    for index in 0..BUSY {
        let status = get(activator.http, "/", &choose(&name(index)))?.status;
        ensure!(status == 200, "a request: status {status}");
    }
    // The durations of requests are added up at each tick.
    thread::sleep(Duration::from_secs(2));
    let (size, time) = metrics(&activator)?;
    result("/metrics when 100 have, size", size, "kB");
    result("/metrics when 100 have, time", time, "ms");
    activator.stop()
}

/// Its size in kB and how many milliseconds it takes.
fn metrics(activator: &Activator) -> Result<(f64, f64)> {
    let mut times = Vec::new();
    let mut size = 0;
    for _ in 0..5 {
        let begin = Instant::now();
        size = get(activator.admin, "/metrics", "")?.body.len();
        times.push(millis(begin.elapsed()));
    }
    Ok((size as f64 / 1_000.0, median(&times)))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn name(index: usize) -> String {
    format!("service-{index:06}-00001")
}

fn file(count: usize, backend: SocketAddr) -> String {
    let mut file = String::new();
    for index in 0..count {
        let _ = writeln!(
            file,
            "[[revision]]\nnamespace = \"default\"\nname = \"{}\"\nservice = \"service-{index:06}\"\nconfiguration = \"service-{index:06}\"\nprobe = \"none\"\nqueue_depth = 7\nbackends = [\"{backend}\"]",
            name(index)
        );
    }
    file
}

/// Answers every request with 200, for as long as this program runs.
fn backend() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let Ok(mut answers) = stream.try_clone() else {
                    return;
                };
                let lines = BufReader::new(stream).lines().map_while(Result::ok);
                for _end_of_head in lines.filter(String::is_empty) {
                    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                    if answers.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}
