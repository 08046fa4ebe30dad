//! Streams and an upload that outlive many idle windows, and the end of their instances after that.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::app::App;
use super::{section, total, wait_for_none};
use crate::command::root;
use crate::e2e::python::Python;
use crate::support::activator::{Activator, choose};
use crate::support::process::Process;

/// The shortest that `stable_window` can be.
const WINDOW: Duration = Duration::from_secs(6);

pub(crate) fn run() -> Result<()> {
    let is_long = std::env::var("E2E_ONE_MACHINE").is_ok_and(|it| it == "long");
    let windows = if is_long { 20 } else { 4 };
    let length = WINDOW * windows;
    let python = Python::prepare()?;
    let program = python.program().display().to_string();
    let script = root().join("e2e/websocket_echo.py").display().to_string();
    let limits = format!("max_scale = 1\nstable_window = \"{}s\"\n", WINDOW.as_secs());
    let app = App::new()?;
    let config = [
        section(
            "echo",
            &[&program, &script, "serve", "{port}"],
            &format!("{limits}ready = \"tcp\"\n"),
        ),
        app.section("events", &limits),
        app.section("upload", &limits),
    ];
    let activator = Activator::start(&config.concat())?;

    let seconds = length.as_secs();
    let mut client = Process::start(
        python
            .script("websocket_echo.py")
            .args(["idle", &activator.http.to_string(), &seconds.to_string()])
            .args([
                "Knative-Serving-Namespace=default",
                "Knative-Serving-Revision=echo",
            ])
            .stdout(Stdio::piped()),
    )?;
    let lines = client.lines()?;
    let http = activator.http;
    let events = thread::spawn(move || events(http, seconds));
    let upload = thread::spawn(move || upload(http, seconds));

    let next = || lines.recv_timeout(length + super::SOON);
    let (opened, line) = next().context("no WebSocket was opened")?;
    ensure!(line == "open", "{line}");
    let (closed, line) = next().context("nothing came after the silence")?;
    ensure!(line == "still open", "{line}");
    let events = events.join().expect("a client does not panic")?;
    ensure!(
        events.contains("data: first") && events.contains("data: last"),
        "the events were cut: {}",
        events
    );
    let answer = upload.join().expect("a client does not panic")?;
    ensure!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(&seconds.to_string()),
        "the upload was cut: {answer}"
    );
    let starts = total(&activator, "activator_instance_starts_total")?;
    ensure!(starts == 3, "{starts} starts for 3 services");

    let over = Instant::now();
    wait_for_none(&activator)?;
    println!(
        "a WebSocket and events, silent, and an upload of a byte per second, for {windows} windows of {WINDOW:?} (the WebSocket for {:?}); all instances were gone {:?} later",
        closed.duration_since(opened),
        over.elapsed()
    );
    activator.stop()
}

/// Waits for the end of events that are silent for so long.
fn events(address: SocketAddr, seconds: u64) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(seconds) + super::SOON))?;
    let head = format!(
        "GET /events?seconds={seconds} HTTP/1.1\r\nHost: {address}\r\n{}Connection: close\r\n\r\n",
        choose("events")
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Sends a byte per second.
fn upload(address: SocketAddr, seconds: u64) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(super::SOON))?;
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\n{}Content-Length: {seconds}\r\nConnection: close\r\n\r\n",
        choose("upload")
    );
    stream.write_all(head.as_bytes())?;
    for _ in 0..seconds {
        thread::sleep(Duration::from_secs(1));
        stream.write_all(b"x")?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
