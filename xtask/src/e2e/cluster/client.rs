//! Requests to revisions as an ingress sends them, and what the application says that it saw of them.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tungstenite::client::IntoClientRequest;
use tungstenite::{Message, WebSocket};
use ureq::Agent;

use super::objects::{Revision, USER, text};

/// No request takes longer, a cold start on a busy machine included.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(180);

/// What speaks to the activator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    H2c,
    WebSocket,
}

impl Protocol {
    pub(crate) const ALL: [Self; 3] = [Self::Http1, Self::H2c, Self::WebSocket];

    /// Part of a revision's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "http1",
            Self::H2c => "h2c",
            Self::WebSocket => "websocket",
        }
    }

    /// The name of the container's port.
    pub(crate) fn port_name(self) -> &'static str {
        match self {
            Self::H2c => "h2c",
            Self::Http1 | Self::WebSocket => "http1",
        }
    }
}

/// Client of HTTP/1.1 that keeps its connections.
pub(crate) fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_global(Some(TIMEOUT))
        .build()
        .new_agent()
}

/// The header fields with which an ingress names a revision, and the Host of its client.
pub(crate) fn headers(revision: &Revision) -> [(&'static str, String); 3] {
    [
        ("Host", revision.host()),
        ("Knative-Serving-Namespace", USER.to_owned()),
        ("Knative-Serving-Revision", revision.name.clone()),
    ]
}

/// GETs `path` of a revision through the activator at `address`.
pub(crate) fn get(
    agent: &Agent,
    address: SocketAddr,
    revision: &Revision,
    path: &str,
) -> Result<(u16, String)> {
    let mut request = agent.get(format!("http://{address}{path}"));
    for (name, value) in headers(revision) {
        request = request.header(name, value);
    }
    let response = request.call()?;
    let status = response.status().as_u16();
    let body = response.into_body().read_to_string()?;
    Ok((status, body))
}

/// One request of a protocol: what the application says it saw.
pub(crate) fn ask(address: SocketAddr, revision: &Revision, protocol: Protocol) -> Result<Value> {
    match protocol {
        Protocol::Http1 => {
            let (status, body) = get(&agent(), address, revision, "/seen")?;
            ensure!(status == 200, "status {status}: {body}");
            Ok(serde_json::from_str(&body)?)
        }
        Protocol::H2c => {
            let mut curl = Command::new("curl");
            curl.args([
                "--silent",
                "--show-error",
                "--fail",
                "--http2-prior-knowledge",
            ]);
            curl.args([
                "--noproxy",
                "*",
                "--max-time",
                &TIMEOUT.as_secs().to_string(),
            ]);
            for (name, value) in headers(revision) {
                curl.arg("--header").arg(format!("{name}: {value}"));
            }
            let body = crate::command::output(curl.arg(format!("http://{address}/seen")))?;
            Ok(serde_json::from_str(&body)?)
        }
        Protocol::WebSocket => {
            let (mut socket, seen) = open(address, revision)?;
            socket.close(None)?;
            while socket.read().is_ok() {}
            Ok(seen)
        }
    }
}

/// Checks that the application was asked as if nobody stood in front of it.
pub(crate) fn check(seen: &Value, revision: &Revision, protocol: Protocol) -> Result<()> {
    ensure!(
        text(seen, "/host") == revision.host(),
        "the application does not see the client's Host: {seen}"
    );
    let version = if protocol == Protocol::H2c {
        "HTTP/2.0"
    } else {
        "HTTP/1.1"
    };
    ensure!(text(seen, "/proto") == version, "not {version}: {seen}");
    let names: BTreeMap<String, Value> = serde_json::from_value(seen["headers"].clone())?;
    let names: Vec<String> = names.into_keys().map(|name| name.to_lowercase()).collect();
    for hidden in [
        "knative-serving-revision",
        "knative-serving-namespace",
        "k-original-host",
    ] {
        ensure!(
            !names.contains(&hidden.to_owned()),
            "it sees {hidden}: {seen}"
        );
    }
    ensure!(
        names.contains(&"k-proxy-request".to_owned())
            || names.contains(&"x-forwarded-for".to_owned()),
        "nothing stood in between: {seen}"
    );
    Ok(())
}

/// An open WebSocket, and what the application saw of its handshake.
pub(crate) fn open(
    address: SocketAddr,
    revision: &Revision,
) -> Result<(WebSocket<TcpStream>, Value)> {
    let mut request = format!("ws://{address}/seen").into_client_request()?;
    for (name, value) in headers(revision) {
        request.headers_mut().insert(name, value.parse()?);
    }
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let (mut socket, _) = tungstenite::client(request, stream)
        .map_err(|error| anyhow::anyhow!("the handshake failed: {error}"))?;
    let seen = socket.read()?;
    let seen = serde_json::from_str(seen.to_text().context("no text")?)?;
    Ok((socket, seen))
}

/// Sends a message and reads its echo.
pub(crate) fn echo(socket: &mut WebSocket<TcpStream>) -> Result<()> {
    let message = Message::text("hello");
    socket.send(message.clone())?;
    let echo = socket.read()?;
    ensure!(echo == message, "the echo is {echo:?}");
    Ok(())
}
