//! The HTTP probes of a container: readiness and liveness.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::e2e::cluster::objects::{items, text};

const TIMEOUT: Duration = Duration::from_secs(1);
/// How often a container that has not been ready yet is asked: a kubelet's users want to wait for less than a second.
const AT_FIRST: Duration = Duration::from_millis(20);

/// One probe and its outcomes so far.
pub(super) struct Check {
    request: String,
    port: u16,
    period: Duration,
    threshold: u64,
    passed: bool,
    /// Failures since it last passed.
    failures: u64,
    next: Instant,
}

impl Check {
    /// The probe called `name` in a container's specification, if it is one over HTTP.
    pub(super) fn of(container: &Value, name: &str) -> Option<Self> {
        let probe = container.get(name)?;
        let http = probe.get("httpGet")?;
        let path = match text(http, "/path") {
            "" => "/",
            path => path,
        };
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\nUser-Agent: kube-probe/1.35\r\n"
        );
        for header in items(http, "/httpHeaders") {
            request += &format!("{}: {}\r\n", text(header, "/name"), text(header, "/value"));
        }
        let number = |name: &str, otherwise| probe[name].as_u64().unwrap_or(otherwise);
        let delay = Duration::from_secs(number("initialDelaySeconds", 0));
        Some(Self {
            request: request + "\r\n",
            port: port(container, &http["port"])?,
            period: Duration::from_secs(number("periodSeconds", 10)),
            threshold: number("failureThreshold", 3),
            passed: false,
            failures: 0,
            next: Instant::now() + delay,
        })
    }

    /// Whether it passes now, as a kubelet sees it: before the first success it does not, and from then on it does until
    /// it has failed as often as its threshold says.
    pub(super) fn passes(&mut self, address: IpAddr) -> bool {
        if Instant::now() >= self.next {
            if ask(SocketAddr::new(address, self.port), &self.request).unwrap_or(false) {
                (self.passed, self.failures) = (true, 0);
            } else {
                self.failures += 1;
                self.passed &= self.failures < self.threshold;
            }
            self.next = Instant::now() + if self.passed { self.period } else { AT_FIRST };
        }
        self.passed
    }

    /// Whether it has failed so often that the container is to be started again.
    pub(super) fn failed(&mut self, address: IpAddr) -> bool {
        if Instant::now() >= self.next {
            let passed = ask(SocketAddr::new(address, self.port), &self.request).unwrap_or(false);
            self.failures = if passed { 0 } else { self.failures + 1 };
            self.next = Instant::now() + self.period;
        }
        self.failures >= self.threshold
    }
}

/// A port that is a number, or the name of one of the container's ports.
fn port(container: &Value, port: &Value) -> Option<u16> {
    let number = match port.as_str() {
        Some(name) => items(container, "/ports")
            .iter()
            .find(|port| text(port, "/name") == name)?["containerPort"]
            .as_u64(),
        None => port.as_u64(),
    };
    u16::try_from(number?).ok()
}

/// Whether the status of the response is one of 200 to 399.
fn ask(address: SocketAddr, request: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(request.as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    Ok(head.starts_with(b"HTTP/1.1 2") || head.starts_with(b"HTTP/1.1 3"))
}
