//! A client for one request, without the start of a program.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

/// A response: its status, its head as received, and its body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// GETs `path` at `address`, with further header lines (each ending in `\r\n`).
pub(crate) fn get(address: SocketAddr, path: &str, headers: &str) -> Result<Answer> {
    get_from(address, &address.to_string(), path, headers)
}

/// The same from `host`.
pub(crate) fn get_from(
    address: SocketAddr,
    host: &str,
    path: &str,
    headers: &str,
) -> Result<Answer> {
    ask(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}"),
    )
}

/// POSTs nothing to `path` at `address`.
pub(crate) fn post(address: SocketAddr, path: &str) -> Result<Answer> {
    ask(
        address,
        &format!("POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\n"),
    )
}

fn ask(address: SocketAddr, head: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("the response has no head")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    Ok(Answer {
        status,
        head: format!("{head}\r\n"),
        body: body.into(),
    })
}
