//! Debian's nginx as the server behind the activator.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::process::{Process, Scratch, free_address, wait_for_listener};

/// A running nginx that serves and takes (PUT) files.
pub(crate) struct Nginx {
    pub(crate) address: SocketAddr,
    scratch: Scratch,
    _process: Process,
}

impl Nginx {
    pub(crate) fn start() -> Result<Self> {
        Self::start_at(free_address()?)
    }

    pub(crate) fn start_at(address: SocketAddr) -> Result<Self> {
        let scratch = Scratch::new(&format!("nginx-{}", address.port()))?;
        std::fs::create_dir_all(scratch.path("files"))?;
        std::fs::write(scratch.path("files/1k"), "x".repeat(1024))?;
        let base = scratch.path("");
        let base = base.display();
        let config = format!(
            "daemon off; master_process off; pid {base}pid; error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on;
  client_body_temp_path {base}body; proxy_temp_path {base}proxy; fastcgi_temp_path {base}fastcgi;
  uwsgi_temp_path {base}uwsgi; scgi_temp_path {base}scgi;
  server {{
    listen {address} backlog=4096;
    root {base}files;
    location / {{ dav_methods PUT; client_max_body_size 0; }}
  }}
}}"
        );
        let file = scratch.path("nginx.conf");
        std::fs::write(&file, config)?;
        let process = Process::start(
            Command::new("nginx")
                .arg("-c")
                .arg(&file)
                .args(["-e", "stderr"])
                .stdout(Stdio::null()),
        )?;
        wait_for_listener(address)?;
        Ok(Self {
            address,
            scratch,
            _process: process,
        })
    }

    /// Where it keeps the file of that name.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.scratch.path("files").join(name)
    }
}
