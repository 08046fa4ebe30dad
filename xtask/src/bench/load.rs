//! The load, at full speed or at a fixed rate, and the reports of its programs.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::proxies::headers;
use crate::command::output;
use crate::support::process::Scratch;

/// The load on a proxy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) http2: bool,
    pub(super) connections: usize,
    /// Requests at once on each connection: more than one only with HTTP/2.
    pub(super) streams: usize,
    pub(super) body_kib: usize,
}

/// Clients of one program; more are divided among several, that start one after the other within a second: each sends in
/// step with its own start.
const CROWD: usize = 1_000;

impl Work {
    pub(super) fn name(&self) -> String {
        let Self {
            http2,
            connections,
            streams,
            body_kib,
        } = self;
        let version = if *http2 { "h2" } else { "HTTP/1.1" };
        let streams = match streams {
            1 => String::new(),
            streams => format!(" with {streams} streams"),
        };
        let plural = if *connections == 1 { "" } else { "s" };
        format!("{version}, {connections} connection{plural}{streams}, {body_kib} KiB")
    }

    fn url(&self, address: SocketAddr) -> String {
        format!("http://{address}/{}", self.body_kib)
    }

    /// Full load for that long; returns the number of requests. Errors fail it.
    pub(super) fn saturate(&self, address: SocketAddr, seconds: u64) -> Result<f64> {
        if self.http2 {
            self.saturate_http2(address, seconds)
        } else {
            self.saturate_http1(address, seconds)
        }
    }

    fn saturate_http1(&self, address: SocketAddr, seconds: u64) -> Result<f64> {
        wrk(
            self.connections,
            seconds,
            &headers(false),
            &self.url(address),
        )
    }

    fn saturate_http2(&self, address: SocketAddr, seconds: u64) -> Result<f64> {
        let mut load = self.h2load(address, self.connections);
        load.args(["-m", &self.streams.to_string()]);
        succeeded(&output(load.args(["-D", &seconds.to_string()]))?)
    }

    /// `rate` requests a second for that long; returns the latencies in microseconds, sorted.
    pub(super) fn latencies(
        &self,
        address: SocketAddr,
        rate: f64,
        seconds: u64,
    ) -> Result<Vec<u64>> {
        let scratch = Scratch::new("h2load")?;
        let per_client = (rate / self.connections as f64).max(1.0).round();
        let programs = self.connections.div_ceil(CROWD);
        let mut running = Vec::new();
        for program in 0..programs {
            let mut load = self.h2load(address, self.connections / programs);
            let log = scratch.path(&program.to_string());
            load.arg(format!("--log-file={}", log.display()));
            load.arg(format!("--rps={per_client}"));
            load.args(["-D", &seconds.to_string()]);
            running.push((load.stdout(Stdio::piped()).spawn()?, log));
            if programs > 1 {
                sleep(Duration::from_secs(1) / programs as u32);
            }
        }
        let mut latencies = Vec::new();
        for (load, log) in running {
            let ended = load.wait_with_output()?;
            succeeded(&String::from_utf8_lossy(&ended.stdout))?;
            let log = std::fs::read_to_string(log)?;
            let latency = |line: &str| line.split('\t').nth(2).and_then(|it| it.parse().ok());
            for line in log.lines() {
                latencies.push(latency(line).context("h2load's log is malformed")?);
            }
        }
        ensure!(!latencies.is_empty(), "h2load's log is empty");
        latencies.sort_unstable();
        Ok(latencies)
    }

    fn h2load(&self, address: SocketAddr, connections: usize) -> Command {
        let mut load = Command::new("h2load");
        load.args(["-t", "1", "-c", &connections.to_string()]);
        for header in headers(self.http2).lines() {
            load.args(["-H", header]);
        }
        if !self.http2 {
            load.arg("--h1");
        }
        load.arg(self.url(address));
        load
    }
}

/// Full load over HTTP/1.1 for that long, with header lines; returns the number of requests. Errors fail it.
pub(super) fn wrk(connections: usize, seconds: u64, headers: &str, url: &str) -> Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args(["--threads", "1", "--duration", &format!("{seconds}s")]);
    wrk.args(["--connections", &connections.to_string()]);
    for header in headers.lines() {
        wrk.args(["--header", header]);
    }
    let report = output(wrk.arg(url))?;
    for trouble in ["Socket errors", "Non-2xx"] {
        ensure!(!report.contains(trouble), "wrk saw errors:\n{report}");
    }
    let line = report
        .lines()
        .find_map(|line| line.split_once(" requests in "));
    let (requests, _) = line.with_context(|| format!("no count in wrk's report:\n{report}"))?;
    Ok(requests.trim().parse()?)
}

/// The requests that h2load counts; an error when it counts failures as well.
pub(super) fn succeeded(report: &str) -> Result<f64> {
    let line = report.lines().find_map(|it| it.strip_prefix("requests: "));
    let line = line.with_context(|| format!("no count in h2load's report:\n{report}"))?;
    let count = |what: &str| -> Result<f64> {
        let part = line
            .split(", ")
            .find_map(|part| part.strip_suffix(what))
            .with_context(|| format!("no{what} in {line:?}"))?;
        Ok(part.trim().parse()?)
    };
    for trouble in [" failed", " errored", " timeout"] {
        ensure!(count(trouble)? == 0.0, "h2load saw errors:\n{report}");
    }
    count(" succeeded")
}
