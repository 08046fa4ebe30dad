//! A cluster of 1,000 revisions without instances, 200 of which get a request within a second.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::activators::Kind;
use super::population::{populate, sleeper};
use super::receiver::Receiver;
use super::{Cluster, Extent, with_cluster};
use crate::support::process::{resident_kib, wait_until};

const SLEEPING: usize = 1_000;
const AWAKENED: usize = 200;
/// In which time those requests are sent.
const WITHIN: Duration = Duration::from_secs(1);
/// The latest report of a request.
const REPORTED: Duration = Duration::from_millis(100);
/// The address of the first pod, which is the activator's.
const ACTIVATOR: &str = "10.0.1.1";
/// Resident memory before any request.
const RESIDENT_KIB: u64 = 20 << 10;
/// And what each request that is held may add, its connection included.
const HELD_KIB: u64 = 32;

pub(crate) fn run() -> Result<()> {
    with_cluster(Extent::Types, scene)
}

fn scene(cluster: &mut Cluster) -> Result<()> {
    let start = Instant::now();
    populate(&cluster.api, SLEEPING, ACTIVATOR)?;
    let seconds = start.elapsed().as_secs_f64();
    println!("{SLEEPING} revisions are there after {seconds:.1} s");

    let receiver = Receiver::start(&cluster.stop)?;
    cluster.deploy_activators(Kind::under_test(), 1, &[])?;
    let activator = wait_until(
        "the activator is not ready",
        Duration::from_secs(30),
        || Ok(cluster.activators(Kind::under_test())?.pop()),
    )?;
    ensure!(
        activator.http.ip().to_string() == ACTIVATOR,
        "the activator has the address {}",
        activator.http
    );
    wait_until(
        "it has no link to the autoscaler",
        Duration::from_secs(10),
        || Ok((receiver.links() > 0).then_some(())),
    )?;
    let before = resident_kib(activator.process)?;

    let sent = send(activator.http)?;
    let mut reported = HashMap::new();
    let what = "not all revisions are reported";
    let result = wait_until(what, Duration::from_secs(5), || {
        reported = receiver.first_reports();
        Ok((reported.len() >= AWAKENED).then_some(()))
    });
    result.with_context(|| format!("{} of {AWAKENED} are", reported.len()))?;
    let mut delays = Vec::new();
    for (key, (at, _)) in &sent {
        let report = reported.get(key);
        let report = report.with_context(|| format!("{key} is not reported"))?;
        delays.push(report.saturating_duration_since(*at));
    }
    delays.sort();
    // More than a tick: what is to be held has been held.
    std::thread::sleep(Duration::from_secs(2));
    let after = resident_kib(activator.process)?;
    for (key, (_, stream)) in &sent {
        let answer = early_answer(stream)?;
        ensure!(answer.is_empty(), "{key} was not held: {answer}");
    }
    let (median, slowest) = (delays[AWAKENED / 2], delays[AWAKENED - 1]);
    println!(
        "{AWAKENED} requests within {WITHIN:?} are held; reported after {median:.1?} (median) to {slowest:.1?}; resident {before} KiB before and {after} KiB with them"
    );
    ensure!(slowest <= REPORTED, "a report took {slowest:?}");
    ensure!(before <= RESIDENT_KIB, "{before} KiB are more than 20 MiB");
    let most = RESIDENT_KIB + HELD_KIB * AWAKENED as u64;
    ensure!(after <= most, "{after} KiB with {AWAKENED} requests held");
    Ok(())
}

type Sent = HashMap<String, (Instant, TcpStream)>;

/// Sends a request to every fifth revision, evenly within the time; each has its own connection.
fn send(address: SocketAddr) -> Result<Sent> {
    let start = Instant::now();
    let mut sent = HashMap::new();
    for number in 0..AWAKENED {
        let due = WITHIN.mul_f64(number as f64 / AWAKENED as f64);
        std::thread::sleep(due.saturating_sub(start.elapsed()));
        let (namespace, name) = sleeper(number * (SLEEPING / AWAKENED));
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        let request = format!(
            "GET / HTTP/1.1\r\nHost: {name}.{namespace}.example.com\r\nKnative-Serving-Namespace: {namespace}\r\nKnative-Serving-Revision: {name}\r\n\r\n"
        );
        let at = Instant::now();
        stream.write_all(request.as_bytes())?;
        sent.insert(format!("{namespace}/{name}"), (at, stream));
    }
    Ok(sent)
}

/// What has come on a connection so far.
fn early_answer(mut stream: &TcpStream) -> Result<String> {
    stream.set_nonblocking(true)?;
    let mut answer = [0; 1024];
    match stream.read(&mut answer) {
        Ok(0) => Ok("the connection was closed".into()),
        Ok(length) => Ok(String::from_utf8_lossy(&answer[..length]).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(String::new()),
        Err(error) => Ok(error.to_string()),
    }
}
