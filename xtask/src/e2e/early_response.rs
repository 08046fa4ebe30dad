//! A Node server that responds before it has read a body: the rest of the body never becomes a request.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::command::root;
use crate::support::activator::{Activator, choose, revision};
use crate::support::http::get;
use crate::support::process::{Process, free_address, wait_for_listener};

/// How long the connection is idle before the upload begins, and how long the upload pauses.
const PAUSES: [(u64, u64); 4] = [(0, 0), (0, 11), (4, 6), (0, 65)];

pub(crate) fn run() -> Result<()> {
    let node = free_address()?;
    let _process = Process::start(
        Command::new("node")
            .arg(root().join("e2e/early_response.js"))
            .arg(node.port().to_string()),
    )?;
    wait_for_listener(node)?;
    let activator = Activator::start(&revision("node", &[node]))?;
    let http = activator.http;

    let clients = PAUSES.map(|(idle, pause)| thread::spawn(move || upload(http, idle, pause)));
    let mut whole = 0;
    for (client, (idle, pause)) in clients.into_iter().zip(PAUSES) {
        let Ok(outcome) = client.join() else {
            bail!("a client has panicked");
        };
        let is_whole = outcome.with_context(|| format!("idle {idle} s, a pause of {pause} s"))?;
        let went = if is_whole { "went on" } else { "was closed" };
        println!("idle {idle} s, a pause of {pause} s: the connection {went}");
        whole += usize::from(is_whole);
    }
    activator.wait_for_idle(Duration::from_secs(10))?;
    let seen = get(node, "/seen", "")?.body;
    ensure!(!seen.contains("/smuggled"), "smuggled:\n{seen}");
    let length = smuggled().len();
    let arrived = seen.matches(&format!("POST /upload {length}")).count();
    ensure!(
        arrived == whole && whole >= 3,
        "{arrived} whole uploads:\n{seen}"
    );

    offer(http)?;
    activator.stop()
}

/// Body bytes that look like a request.
fn smuggled() -> String {
    format!(
        "GET /smuggled HTTP/1.1\r\nHost: node\r\n{}\r\n",
        choose("node")
    )
}

/// Returns whether the connection went on after the upload. There must be no response without its request.
fn upload(http: SocketAddr, idle: u64, pause: u64) -> Result<bool> {
    let mut stream = TcpStream::connect(http)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let chosen = choose("node");
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: node\r\n{chosen}\r\n");
    if idle > 0 {
        stream.write_all(ask("/before").as_bytes())?;
        response(&mut stream)?.context("no response before")?;
        thread::sleep(Duration::from_secs(idle));
    }
    let smuggled = smuggled();
    let head = format!(
        "POST /upload HTTP/1.1\r\nHost: node\r\n{chosen}Content-Length: {}\r\n\r\n",
        smuggled.len()
    );
    stream.write_all(head.as_bytes())?;
    response(&mut stream)?.context("no early response")?;
    thread::sleep(Duration::from_secs(pause));
    let rest = smuggled + &ask("/after");
    if stream.write_all(rest.as_bytes()).is_err() {
        return Ok(false);
    }
    let Some(first) = response(&mut stream)? else {
        return Ok(false);
    };
    ensure!(first.starts_with("HTTP/1.1 200 "), "{first}");
    // One that is not asked for would be the next.
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    let mut more = [0; 1_024];
    match stream.read(&mut more) {
        Ok(length @ 1..) => bail!("also {}", String::from_utf8_lossy(&more[..length])),
        _ => Ok(true),
    }
}

/// The next response, up to the server's body; `None` when the connection is closed.
fn response(stream: &mut TcpStream) -> Result<Option<String>> {
    let mut text = Vec::new();
    let mut piece = [0; 1_024];
    while !text.ends_with(b"early") {
        match stream.read(&mut piece) {
            Ok(length @ 1..) => text.extend_from_slice(&piece[..length]),
            Ok(_) if text.is_empty() => return Ok(None),
            Err(error) if text.is_empty() && error.kind() == ErrorKind::ConnectionReset => {
                return Ok(None);
            }
            end => bail!("{end:?} behind {}", String::from_utf8_lossy(&text)),
        }
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// An upgrade that is refused by a server which keeps the socket: later requests get their responses.
fn offer(http: SocketAddr) -> Result<()> {
    let chosen = choose("node");
    let offer = format!("{chosen}Upgrade: websocket\r\n");
    for round in 0..8 {
        let mut stream = TcpStream::connect(http)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let head =
            format!("GET /offer HTTP/1.1\r\nHost: node\r\nConnection: upgrade\r\n{offer}\r\n");
        stream.write_all(head.as_bytes())?;
        let mut refusal = [0; 1_024];
        let length = stream.read(&mut refusal)?;
        let refusal = String::from_utf8_lossy(&refusal[..length]);
        ensure!(refusal.starts_with("HTTP/1.1 400 "), "{refusal}");
        let ask = format!("GET /next HTTP/1.1\r\nHost: node\r\n{chosen}\r\n");
        stream.write_all(ask.as_bytes())?;
        let next = response(&mut stream).with_context(|| format!("round {round}"))?;
        ensure!(
            next.is_some(),
            "the connection is closed behind a refused offer"
        );
    }
    println!("8 refused offers of an upgrade: the requests behind them were responded to");
    Ok(())
}
