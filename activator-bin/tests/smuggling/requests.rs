//! What a backend has seen, as a case says it.

use std::net::SocketAddr;

use crate::case;
use crate::recorder::Recorder;
use crate::strict;

/// The requests since the last call, once all connections are closed.
pub(crate) fn requests(backend: &Recorder) -> Vec<String> {
    let saw = backend.saw();
    let requests = saw.iter().map(|bytes| lines(bytes, backend.address));
    requests.collect::<Vec<_>>().join(&"--".to_owned())
}

/// A request's lines, without those that every request gets.
fn lines(bytes: &[u8], address: SocketAddr) -> Vec<String> {
    let added = [
        format!("Host: {}", address),
        "K-Original-Host: hello.default.svc.c".to_owned(),
        "K-Proxy-Request: activator".to_owned(),
        "X-Forwarded-For: 127.0.0.1".to_owned(),
    ];
    let mut lines = case::lines(bytes);
    lines.retain(|line| !added.contains(line));
    if lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    match strict::length(bytes) {
        Ok(Some(length)) if length == bytes.len() => lines,
        Ok(Some(_)) => [lines, vec!["and bytes behind the request".to_owned()]].concat(),
        // How much came is a matter of timing.
        Ok(None) => vec!["no whole request".to_owned()],
        Err(why) => [lines, vec![format!("which is ambiguous: {why}")]].concat(),
    }
}
