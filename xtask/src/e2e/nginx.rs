//! Debian's nginx as the backend.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::support::process::{Process, Scratch, free_address, wait_for_listener};

/// A running nginx that serves and takes (PUT) files.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    /// The same server, speaking HTTP/2 by prior knowledge.
    pub(crate) http2: SocketAddr,
    scratch: Scratch,
    process: Process,
}

impl Nginx {
    pub(crate) fn start() -> Result<Self> {
        Self::start_at(free_address()?)
    }

    /// One that listens at `address`.
    pub(crate) fn start_at(address: SocketAddr) -> Result<Self> {
        Self::start_with(address, "")
    }

    /// One that responds to probes, passes `/slow` on to `server`, and logs both.
    pub(crate) fn start_in_front_of(address: SocketAddr, server: SocketAddr) -> Result<Self> {
        Self::start_with(
            address,
            &format!(
                "access_log access.log times;
    location = /healthz {{ return 200 queue; }}
    location /slow {{ proxy_pass http://{server}; proxy_http_version 1.1; }}"
            ),
        )
    }

    fn start_with(address: SocketAddr, more: &str) -> Result<Self> {
        let http2 = free_address()?;
        let scratch = Scratch::new(&format!("nginx-{}", address.port()))?;
        std::fs::create_dir_all(scratch.path("files"))?;
        std::fs::write(scratch.path("files/1k"), "x".repeat(1024))?;
        let base = scratch.path("");
        let base = base.display();
        let config = format!(
            "daemon off; master_process off; pid {base}pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  log_format times '$uri $msec $request_time'; access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
  client_body_temp_path {base}body; proxy_temp_path {base}proxy; fastcgi_temp_path {base}fastcgi;
  uwsgi_temp_path {base}uwsgi; scgi_temp_path {base}scgi;
  server {{
    listen {address} backlog=4096; listen {http2} http2 backlog=4096;
    root {base}files;
    {more}
    location / {{ dav_methods PUT; client_max_body_size 0; }}
  }}
}}"
        );
        let file = scratch.path("nginx.conf");
        std::fs::write(&file, config)?;
        let process = Process::start(
            Command::new("nginx")
                .arg("-p")
                .arg(scratch.path(""))
                .arg("-c")
                .arg(&file)
                .args(["-e", "stderr"])
                .stdout(Stdio::null()),
        )?;
        wait_for_listener(address)?;
        Ok(Self {
            address,
            http2,
            scratch,
            process,
        })
    }

    /// The path of a file that it serves.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.scratch.path("files").join(name)
    }

    /// Stops it gracefully and waits for its end.
    pub(crate) fn stop_gracefully(&mut self) -> Result<()> {
        self.process.signal("QUIT")?;
        self.process.wait(Duration::from_secs(10)).map(drop)
    }

    /// The times of the first probe's response and of the first request, since 1970, to the millisecond.
    pub(crate) fn first_probe_and_request(&self) -> Result<(Duration, Duration)> {
        let log = std::fs::read_to_string(self.scratch.path("access.log"))?;
        let mut came = Vec::new();
        for line in log.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            let &[path, end, length] = &fields[..] else {
                bail!("unexpected line in nginx's log: {line:?}");
            };
            let (end, length): (f64, f64) = (end.parse()?, length.parse()?);
            came.push((path == "/healthz", Duration::from_secs_f64(end - length)));
        }
        let first = |probe| {
            let of_kind = came.iter().filter(|(is_probe, _)| *is_probe == probe);
            of_kind.map(|(_, at)| *at).min()
        };
        let probe = first(true).context("nginx saw no probe")?;
        Ok((probe, first(false).context("nginx saw no request")?))
    }
}
