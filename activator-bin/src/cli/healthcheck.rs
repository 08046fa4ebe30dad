//! `activator healthcheck`: whether an activator that runs on this machine is alive, for container runtimes and scripts.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::sources::SourceArguments;
use super::{Exit, fail};
use crate::settings::{Value, quoted};

/// Arguments of `healthcheck`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// How long the response may take, all in all
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = timeout)]
    timeout: Duration,
    #[command(flatten)]
    sources: SourceArguments,
}

const EXAMPLES: &str = "Examples:
  activator healthcheck --config /etc/activator.toml
  activator healthcheck --listen-admin 127.0.0.1:9090 --timeout 500ms";

/// The longest line that a response may begin with.
const LINE: usize = 1024;

fn timeout(text: &str) -> Result<Duration, String> {
    Value::Text(text).duration("1ms"..="1h")
}

pub(super) fn run(arguments: Arguments) -> Result<(), Exit> {
    let failure = |message: &str| fail(Exit::Failure, &message);
    let address = arguments.sources.sources(None).admin_address();
    let address = address.map_err(|problems| {
        failure(&format!(
            "it is not known where the admin port is; with --listen-admin no file is needed\n{problems}"
        ))
    })?;
    if address.port() == 0 {
        let message =
            "listen.admin leaves the port to the system; say by --listen-admin which it is";
        return Err(failure(message));
    }
    let deadline = Instant::now() + arguments.timeout;
    let mut complaints = Vec::new();
    for address in reachable(address) {
        match ask(address, deadline) {
            Ok(()) => return Ok(()),
            Err(why) if matches!(why.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock) => {
                let timeout = humantime::format_duration(arguments.timeout);
                complaints.push(format!(
                    "http://{address}/livez: no response within {timeout}"
                ));
            }
            Err(why) => complaints.push(format!("http://{address}/livez: {why}")),
        }
    }
    Err(failure(&complaints.join("; ")))
}

/// Where what listens on `address` can be reached from this machine.
fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    let loopback = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        // It takes connections of both, and the machine may have no address of one.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            vec![
                IpAddr::V6(Ipv6Addr::LOCALHOST),
                IpAddr::V4(Ipv4Addr::LOCALHOST),
            ]
        }
        _ => return vec![address],
    };
    let ports = loopback
        .into_iter()
        .map(|ip| SocketAddr::new(ip, address.port()));
    ports.collect()
}

/// Whether the response to `GET /livez` is 200.
fn ask(address: SocketAddr, deadline: Instant) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    let request = format!("GET /livez HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    // Shorter than any send buffer.
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(request.as_bytes())?;
    let line = first_line(&mut stream, deadline)?;
    let mut words = line.split(' ');
    let is_http = words.next().is_some_and(|word| word.starts_with("HTTP/1."));
    match words.next() {
        Some("200") if is_http => Ok(()),
        _ if line.is_empty() => Err(io::Error::other(
            "the connection was closed without a response",
        )),
        _ => Err(io::Error::other(format!(
            "the response is {}",
            quoted(&line)
        ))),
    }
}

/// The first line of a response, or what there is of it.
fn first_line(stream: &mut TcpStream, deadline: Instant) -> io::Result<String> {
    let mut bytes = [0; LINE];
    let mut length = 0;
    loop {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if bytes[..length].contains(&b'\n') {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes[..length]);
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The time that is left until `deadline`.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_listens_on_every_address_is_asked_on_a_loopback_one() {
        let check = |address: &str, expected: &[&str]| {
            let found = reachable(address.parse().unwrap());
            let found: Vec<_> = found.iter().map(ToString::to_string).collect();
            assert_eq!(found, expected);
        };
        check("0.0.0.0:9090", &["127.0.0.1:9090"]);
        check("[::]:9090", &["[::1]:9090", "127.0.0.1:9090"]);
        check("10.0.0.1:9090", &["10.0.0.1:9090"]);
        check("[fe80::1]:9090", &["[fe80::1]:9090"]);
    }
}
