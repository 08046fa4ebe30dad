//! The proxies that are compared, each configured alike: two threads, keep-alive on both sides, no log, and a port
//! for HTTP/2 with prior knowledge.

mod heavier;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::support::activator::{choose, program, revision};
use crate::support::http::get;
use crate::support::process::{
    Process, Scratch, Stat, free_address, wait_for_listener, wait_until,
};

/// More than any load has. Each may need a second one, to the backend, and a process often gets 20,000 files at most.
const MAX_CONNECTIONS: usize = 9_800;
const MAX_FILES: usize = 2 * MAX_CONNECTIONS;

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Activator,
    Nginx,
    Haproxy,
    Envoy,
    Traefik,
    Caddy,
}

impl Subject {
    /// Those that latencies are compared among, at one rate that each of them can serve.
    pub(super) const LEAN: [Self; 3] = [Self::Activator, Self::Nginx, Self::Haproxy];
    pub(super) const HEAVIER: [Self; 3] = [Self::Envoy, Self::Traefik, Self::Caddy];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Activator => "activator",
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Envoy => "Envoy",
            Self::Traefik => "Traefik",
            Self::Caddy => "Caddy",
        }
    }
}

/// A proxy or the backend. Its workers end with it: those of nginx do only when they are told.
struct Server(Process);

impl Drop for Server {
    fn drop(&mut self) {
        // What does not end is killed.
        let _ = self.0.signal("TERM");
        let _ = self.0.wait(Duration::from_secs(5));
    }
}

/// The backend: nginx, with files of the sizes that are requested.
pub(super) struct Backend {
    http1: SocketAddr,
    http2: SocketAddr,
    _server: Server,
    _scratch: Scratch,
}

impl Backend {
    /// Serves files named after their sizes in KiB.
    pub(super) fn start(sizes_kib: &[usize]) -> Result<Self> {
        let scratch = Scratch::new("backend")?;
        for &size in sizes_kib {
            std::fs::write(scratch.path(&size.to_string()), "x".repeat(size * 1024))?;
        }
        let (http1, http2) = (free_address()?, free_address()?);
        let base = scratch.path("");
        let server = format!(
            "server {{ listen {http1} backlog=4096; listen {http2} http2 backlog=4096; root {}; }}",
            base.display()
        );
        let process = nginx(&scratch, &server)?;
        wait_for_listener(http1)?;
        Ok(Self {
            http1,
            http2,
            _server: Server(process),
            _scratch: scratch,
        })
    }
}

/// A running proxy.
pub(super) struct Proxy {
    pub(super) http1: SocketAddr,
    pub(super) http2: SocketAddr,
    server: Server,
    _scratch: Scratch,
}

impl Proxy {
    pub(super) fn start(subject: Subject, backend: &Backend) -> Result<Self> {
        let scratch = Scratch::new(subject.name())?;
        let (http1, http2) = (free_address()?, free_address()?);
        let process = match subject {
            Subject::Activator => activator(&scratch, http1, http2, backend),
            Subject::Nginx => {
                // Towards its servers nginx speaks HTTP/1 only.
                let server = format!(
                    "upstream backend {{ server {}; keepalive 512; keepalive_requests 1000000000; }}
server {{ listen {http1} backlog=4096 reuseport; listen {http2} http2 backlog=4096 reuseport;
  location / {{ proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection \"\"; }} }}",
                    backend.http1
                );
                nginx(&scratch, &server)
            }
            Subject::Haproxy => haproxy(&scratch, http1, http2, backend),
            Subject::Envoy => heavier::envoy(&scratch, http1, http2, backend),
            Subject::Traefik => heavier::traefik(&scratch, http1, http2, backend),
            Subject::Caddy => heavier::caddy(&scratch, http1, http2, backend),
        }?;
        wait_for_listener(http1)?;
        wait_for_listener(http2)?;
        // Some listen before they know where requests go.
        let what = format!("{} does not pass requests on", subject.name());
        wait_until(&what, Duration::from_secs(10), || {
            let answer = get(http1, "/1", &headers(false))?;
            Ok((answer.status == 200).then_some(()))
        })?;
        Ok(Self {
            http1,
            http2,
            server: Server(process),
            _scratch: scratch,
        })
    }

    /// CPU time used so far, user and system, in seconds.
    pub(super) fn cpu(&self) -> Result<f64> {
        self.sum(|process| Ok(Stat::of(process)?.cpu))
    }

    /// Resident memory in MiB; pages that its processes share count once.
    pub(super) fn resident_mib(&self) -> Result<f64> {
        self.sum(|process| {
            let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup"))?;
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
            Ok(kib.context("no Pss")?.trim().parse::<f64>()? / 1024.0)
        })
    }

    /// Over the process and its children.
    fn sum(&self, of: impl Fn(u32) -> Result<f64>) -> Result<f64> {
        let id = self.server.0.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let children = children.split_whitespace().map(str::parse::<u32>);
        let mut all = children.collect::<Result<Vec<_>, _>>()?;
        all.push(id);
        all.into_iter().map(of).sum()
    }
}

/// The release build with its defaults, and its reports in a file.
fn activator(
    scratch: &Scratch,
    http1: SocketAddr,
    http2: SocketAddr,
    backend: &Backend,
) -> Result<Process> {
    let admin = free_address()?;
    let reports = scratch.path("reports");
    let mut config = format!(
        "workers = 2\nlimits.max_connections = {MAX_CONNECTIONS}\n[listen]\nhttp = \"{http1}\"\nhttp2 = \"{http2}\"\nadmin = \"{admin}\"\n[[sink]]\nkind = \"json-lines\"\npath = {reports:?}\n"
    );
    for (name, server) in [("http1", backend.http1), ("http2", backend.http2)] {
        config += &revision(name, &[server]);
    }
    let file = scratch.path("activator.toml");
    std::fs::write(&file, config)?;
    Process::start(Command::new(program()).arg("--config").arg(file))
}

/// The headers that choose the backend of that protocol.
pub(super) fn headers(http2: bool) -> String {
    choose(if http2 { "http2" } else { "http1" })
}

fn nginx(scratch: &Scratch, server: &str) -> Result<Process> {
    let base = scratch.path("");
    let base = base.display();
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        write!(temporary, "{kind}_temp_path {base}{kind}; ")?;
    }
    let config = format!(
        "user root; daemon off; worker_processes 2; pid {base}pid; error_log stderr error;
worker_rlimit_nofile {MAX_FILES};
events {{ worker_connections {MAX_FILES}; }}
http {{ access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; open_file_cache max=10;
{temporary}
{server}
}}"
    );
    let file = scratch.path("nginx.conf");
    std::fs::write(&file, config)?;
    let mut nginx = Command::new("nginx");
    nginx.arg("-p").arg(scratch.path("")).arg("-c").arg(file);
    Process::start(nginx.args(["-e", "stderr"]).stdout(Stdio::null()))
}

fn haproxy(
    scratch: &Scratch,
    http1: SocketAddr,
    http2: SocketAddr,
    backend: &Backend,
) -> Result<Process> {
    let config = format!(
        "global
  nbthread 2
  maxconn {MAX_CONNECTIONS}
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend one
  bind {http1}
  default_backend one
frontend two
  bind {http2} proto h2
  default_backend two
backend one
  server backend {}
backend two
  server backend {} proto h2
",
        backend.http1, backend.http2
    );
    let file = scratch.path("haproxy.cfg");
    std::fs::write(&file, config)?;
    let mut haproxy = Command::new("haproxy");
    haproxy.args(["-db", "-q", "-f"]).arg(file);
    Process::start(haproxy.stdout(Stdio::null()))
}
