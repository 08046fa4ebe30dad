//! A line as JSON: an object with the same fields for every request. What is not known is null.

use std::time::{Duration, SystemTime};

use reporter_runtime::sink::json_lines::within_rfc3339;
use serde::Serialize;

use super::entry::Entry;
use super::line::MAX;
use super::needs::Needs;
use crate::logging::line::cut;

/// The longest values, in bytes. The next one is tried when the line is too long.
const LONGEST: [usize; 4] = [4096, 1024, 256, 64];

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    method: String,
    uri: String,
    protocol: &'static str,
    host: Option<String>,
    status: u16,
    error: Option<&'static str>,
    request_bytes: Option<u64>,
    response_bytes: u64,
    latency_seconds: f64,
    queue_seconds: f64,
    remote_address: Option<&'a str>,
    user_agent: Option<String>,
    referer: Option<String>,
    namespace: Option<&'a str>,
    revision: Option<&'a str>,
    service: Option<&'a str>,
    configuration: Option<&'a str>,
    backend: Option<&'a str>,
    trace_id: Option<&'a str>,
    traceparent: Option<String>,
}

/// What it needs of a request.
pub(super) fn needs() -> Needs {
    let mut needs = Needs {
        target: true,
        host: true,
        remote_address: true,
        trace_id: true,
        traceparent: true,
        ..Needs::default()
    };
    for name in ["user-agent", "referer"] {
        needs.headers.add(name);
    }
    needs
}

/// Appends the line for a request that has ended at `time`, with its end.
pub(super) fn render(entry: &Entry, time: SystemTime, to: &mut String) {
    let lines = LONGEST
        .into_iter()
        .map(|longest| line(entry, time, longest));
    let line = lines.into_iter().find(|line| line.len() < MAX);
    // The shortest values always fit.
    to.push_str(&line.unwrap_or_default());
    to.push('\n');
}

fn line(entry: &Entry, time: SystemTime, longest: usize) -> String {
    let cut = |text: &str| cut(text, longest).into_owned();
    let header = |name| entry.headers.first(name).map(cut);
    let Entry {
        response, revision, ..
    } = entry;
    let line = Line {
        time: humantime::format_rfc3339_micros(within_rfc3339(time)).to_string(),
        method: cut(entry.method.as_str()),
        uri: cut(&entry.target),
        protocol: entry.protocol(),
        host: known(&entry.host).map(cut),
        status: response.code,
        error: response.error,
        request_bytes: entry.content_length.try_into().ok(),
        response_bytes: response.size,
        latency_seconds: seconds(response.latency),
        queue_seconds: seconds(response.queued),
        remote_address: known(&entry.remote_address),
        user_agent: header("user-agent"),
        referer: header("referer"),
        namespace: known(&revision.namespace),
        revision: known(&revision.name),
        service: known(&revision.service),
        configuration: known(&revision.configuration),
        backend: known(&response.backend),
        trace_id: known(&entry.trace_id),
        traceparent: known(&entry.traceparent).map(cut),
    };
    let line = serde_json::to_string(&line);
    without_line_ends(line.expect("strings and numbers can always be written as JSON"))
}

/// JSON may have characters in its strings that some readers take for the end of a line, or terminals obey.
fn without_line_ends(line: String) -> String {
    let is_odd = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
    if !line.contains(is_odd) {
        return line;
    }
    let mut escaped = String::with_capacity(line.len() + 64);
    for char in line.chars() {
        if is_odd(char) {
            escaped.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

fn known(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// In seconds, to the microsecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e6
}
