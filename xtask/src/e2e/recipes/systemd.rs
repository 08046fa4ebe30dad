//! The units, as far as systemd takes them without being the first process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::expect;
use super::trial::Trial;
use crate::command;
use crate::support::process::Process;

const SOCKET: &str = "/etc/systemd/system/activator.socket";
const SERVICE: &str = "/etc/systemd/system/activator.service";
const HOST: &str = "files.example.org";

/// More than fits into the buffers between an instance and its client.
const SIZE: usize = 64 << 20;
const SOON: Duration = Duration::from_secs(20);

pub(super) fn run() -> Result<()> {
    let trial = Trial::new("systemd", &[])?;
    command::run(
        Command::new("systemd-analyze")
            .arg("verify")
            .args([trial.path(SOCKET), trial.path(SERVICE)]),
    )?;
    trial.write("/srv/files/small", "hello\n")?;
    trial.write("/srv/files/large", &"x".repeat(SIZE))?;

    // systemd listens, and starts the service for the first connection.
    std::fs::create_dir_all(trial.path("/run/activator"))?;
    let notify = trial.path("/run/notify");
    let manager = UnixDatagram::bind(&notify)?;
    manager.set_read_timeout(Some(SOON))?;
    let mut service = Command::new("systemd-socket-activate");
    service.args(["--listen", &setting(&trial, SOCKET, "ListenStream")?]);
    let name = setting(&trial, SOCKET, "FileDescriptorName")?;
    service.arg(format!("--fdname={name}"));
    let environment = setting(&trial, SERVICE, "Environment")?;
    service.args(["--setenv", &environment, "--setenv", "NOTIFY_SOCKET"]);
    for (name, _) in trial.variables() {
        service.args(["--setenv", name]);
    }
    let start = setting(&trial, SERVICE, "ExecStart")?;
    service.args(start.split(' ')).env("NOTIFY_SOCKET", &notify);
    let service = trial.with_environment(&mut service);
    let service = Process::start(service.stdout(Stdio::null()))?;
    crate::support::process::wait_for_listener(trial.http)?;
    let mut told = [0; 256];
    let length = manager
        .recv(&mut told)
        .context("the service did not say that it is ready")?;
    let told = String::from_utf8_lossy(&told[..length]);
    ensure!(told.lines().any(|line| line == "READY=1"), "told {told:?}");
    expect(&trial.get(HOST, "/small")?, "hello")?;

    // KillMode=mixed: SIGTERM for the activator alone. What is in flight ends in good order.
    let mut client = TcpStream::connect(trial.http)?;
    client.set_read_timeout(Some(SOON))?;
    let request = format!("GET /large HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes())?;
    let mut answer = vec![0; 1024];
    client.read_exact(&mut answer)?;
    ensure!(
        setting(&trial, SERVICE, "KillMode")? == "mixed",
        "not KillMode=mixed"
    );
    service.signal("TERM")?;
    let length = manager.recv(&mut [0; 256])?;
    ensure!(length > 0, "the service did not say that it is stopping");
    client.read_to_end(&mut answer)?;
    let head = answer.windows(4).position(|part| part == b"\r\n\r\n");
    let head = head.context("the response has no end of its head")? + 4;
    ensure!(
        answer.len() - head == SIZE,
        "{} of {SIZE} bytes",
        answer.len() - head
    );
    trial.ends(service)
}

/// The value of a setting in a unit.
fn setting(trial: &Trial, unit: &str, name: &str) -> Result<String> {
    let text = std::fs::read_to_string(trial.path(unit))?;
    let mut values = text.lines().filter_map(|line| line.split_once('='));
    let value = values.find(|(found, _)| *found == name);
    let (_, value) = value.with_context(|| format!("no {name} in {unit}"))?;
    Ok(value.to_owned())
}
