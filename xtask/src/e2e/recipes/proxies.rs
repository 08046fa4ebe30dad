//! Caddy and nginx in front of the activator.

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tungstenite::Message;

use super::expect;
use super::trial::Trial;
use crate::command::root;
use crate::support::http::get_from;
use crate::support::process::{Process, free_address, wait_for_listener};

const HOST: &str = "app.example.org";

pub(super) fn run_caddy() -> Result<()> {
    let front = free_address()?;
    // Without certificates, and at a free port.
    let site = format!("http://{HOST}:{} {{", front.port());
    let trial = Trial::new("Behind Caddy", &[("app.example.org {", site)])?;
    run(&trial, front, || {
        let mut caddy = Command::new(root().join(".venv/bin/caddy"));
        caddy.args(["run", "--adapter", "caddyfile", "--config"]);
        caddy.arg(trial.path("/etc/caddy/Caddyfile"));
        for variable in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
            caddy.env(variable, trial.path("caddy"));
        }
        caddy.env(
            "CADDY_ADMIN",
            format!("unix/{}", trial.path("caddy-admin").display()),
        );
        Process::start(caddy.stdout(Stdio::null()).stderr(Stdio::null()))
    })
}

pub(super) fn run_nginx() -> Result<()> {
    let front = free_address()?;
    let trial = Trial::new(
        "Behind nginx",
        &[("listen 80;", format!("listen {front};"))],
    )?;
    let base = trial.path("").display().to_string();
    // What Debian's file has around those in conf.d.
    let config = format!(
        "daemon off; master_process off; pid {base}nginx.pid; error_log stderr error;
events {{ }}
http {{
  access_log off; client_body_temp_path {base}body; proxy_temp_path {base}proxy; fastcgi_temp_path {base}fastcgi;
  uwsgi_temp_path {base}uwsgi; scgi_temp_path {base}scgi;
  include {base}etc/nginx/conf.d/*.conf;
}}"
    );
    trial.write("/etc/nginx/nginx.conf", &config)?;
    run(&trial, front, || {
        let mut nginx = Command::new("nginx");
        nginx.arg("-c").arg(trial.path("/etc/nginx/nginx.conf"));
        nginx.args(["-p", &base, "-e", "stderr"]);
        Process::start(nginx.stdout(Stdio::null()))
    })
}

/// A request and a WebSocket by way of `proxy`, which listens at `front`.
fn run(trial: &Trial, front: SocketAddr, proxy: impl FnOnce() -> Result<Process>) -> Result<()> {
    trial.put("server.py", "/srv/app/server.py")?;
    let activator = trial.start()?;
    let _proxy = proxy()?;
    wait_for_listener(front)?;

    let answer = get_from(front, HOST, "/", "")?;
    for line in [
        "host: app.example.org",
        "x-forwarded-for: 127.0.0.1, 127.0.0.1",
        "x-forwarded-proto: http",
        "x-forwarded-host: app.example.org",
    ] {
        expect(&answer, line)?;
    }

    let stream = TcpStream::connect(front)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let (mut socket, _) = tungstenite::client(format!("ws://{HOST}/echo"), stream)
        .ok()
        .context("no WebSocket")?;
    for text in ["one", "two"] {
        socket.send(Message::text(text))?;
        let echo = socket.read()?;
        ensure!(echo == Message::text(text), "{echo:?}, not {text:?}");
    }
    drop(socket);
    trial.stop(activator)
}
