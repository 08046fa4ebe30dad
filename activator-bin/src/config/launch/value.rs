//! How the values of a launched revision are written.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::uri::PathAndQuery;
use rustix::process::Signal;
use toml::de::DeValue;

use crate::revision::launch::{BusyCheck, InstanceLog, PortSpec, Ready};
use crate::settings::Value;

/// The longest command with its arguments: what Linux allows for one argument.
const COMMAND_LIMIT: usize = 128 << 10;

/// A program and its arguments, one or more.
pub(super) fn command(value: &Value<'_>) -> Result<Vec<String>, String> {
    let words = match value {
        Value::Toml(DeValue::Array(_)) => list(value, "")?,
        _ => {
            let text = value.string("a command in quotes or a list of strings")?;
            let words = shlex::split(text);
            words.ok_or("has a quote without its end, or a backslash at the end")?
        }
    };
    match words.first() {
        None => Err("is empty; write a program and its arguments".to_owned()),
        Some(program) if program.is_empty() => Err("has an empty name for the program".to_owned()),
        Some(_) => checked(words),
    }
}

/// Any number of arguments.
pub(super) fn arguments(value: &Value<'_>) -> Result<Vec<String>, String> {
    list(value, "a list of strings, like [\"--port\", \"{port}\"]").and_then(checked)
}

fn list(value: &Value<'_>, expected: &str) -> Result<Vec<String>, String> {
    let Value::Toml(DeValue::Array(items)) = value else {
        return Err(value.instead_of(expected));
    };
    let item = |item: &DeValue<'_>| match Value::Toml(item).string("a list of strings") {
        Ok(text) => Ok(text.to_owned()),
        Err(message) => Err(format!("{message} in it")),
    };
    items.iter().map(|it| item(it.get_ref())).collect()
}

fn checked(words: Vec<String>) -> Result<Vec<String>, String> {
    if words.iter().any(|word| word.contains('\0')) {
        return Err("contains the character U+0000, which no argument may".to_owned());
    }
    if words.iter().map(|word| word.len() + 1).sum::<usize>() > COMMAND_LIMIT {
        return Err(format!("is longer than {} KiB", COMMAND_LIMIT >> 10));
    }
    Ok(words)
}

pub(super) fn port(value: &Value<'_>) -> Result<PortSpec, String> {
    match value.string("") {
        Ok("auto") => Ok(PortSpec::Auto),
        Ok("socket") => Ok(PortSpec::Socket),
        Ok("fd") => Ok(PortSpec::Passed),
        _ => {
            let port = value.whole(1..=65_535).map(PortSpec::Fixed);
            let expected = "\"auto\", \"socket\", \"fd\" or a port from 1 to 65535";
            port.map_err(|_| value.instead_of(expected))
        }
    }
}

pub(super) fn ready(value: &Value<'_>) -> Result<Ready, String> {
    let expected = "\"http:/path\", \"tcp\" or \"notify\"";
    match value.string(expected)? {
        "tcp" => Ok(Ready::Tcp),
        "notify" => Ok(Ready::Notify),
        text => {
            let path = text.strip_prefix("http:").and_then(path);
            path.map(Ready::Http)
                .ok_or_else(|| value.instead_of(expected))
        }
    }
}

/// What becomes of an idle instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It is stopped.
    Stop,
    /// It is frozen.
    Freeze,
}

pub(super) const IDLE_ACTIONS: &[(&str, Idle)] = &[("stop", Idle::Stop), ("freeze", Idle::Freeze)];

/// A path to ask, or a command.
pub(super) fn busy_check(value: &Value<'_>) -> Result<BusyCheck, String> {
    match value
        .string("")
        .ok()
        .and_then(|it| it.strip_prefix("http:"))
    {
        Some(text) => {
            let expected = "\"http:/path\" or a command";
            let path = path(text).map(BusyCheck::Http);
            path.ok_or_else(|| value.instead_of(expected))
        }
        None => command(value).map(BusyCheck::Command),
    }
}

/// A path that a request may have, maybe with a query.
fn path(text: &str) -> Option<String> {
    let path: PathAndQuery = text.parse().ok()?;
    (text.starts_with('/') && path.as_str() == text).then(|| text.to_owned())
}

/// The signals that ask a process to end, or that some take for that.
const SIGNALS: &[(&str, Signal)] = &[
    ("TERM", Signal::TERM),
    ("INT", Signal::INT),
    ("QUIT", Signal::QUIT),
    ("HUP", Signal::HUP),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
    ("WINCH", Signal::WINCH),
    ("KILL", Signal::KILL),
];

pub(super) fn signal(value: &Value<'_>) -> Result<i32, String> {
    let name = value.string("").ok().and_then(|it| it.strip_prefix("SIG"));
    let without = name.and_then(|name| Value::Text(name).choice(SIGNALS).ok());
    let signal = without.map_or_else(|| value.choice(SIGNALS), Ok);
    signal.map(Signal::as_raw)
}

/// The name of a signal that is allowed.
pub(super) fn signal_name(number: i32) -> &'static str {
    let signal = SIGNALS.iter().find(|(_, it)| it.as_raw() == number);
    signal.map_or("", |(name, _)| name)
}

/// A part as a fraction: numbers above 1 are percentages.
pub(super) fn utilization(value: &Value<'_>) -> Result<f64, String> {
    match value.number(0.0..=100.0) {
        Ok(percentage) if percentage > 1.0 => Ok(percentage / 100.0),
        Ok(fraction) if fraction > 0.0 => Ok(fraction),
        _ => Err(value.instead_of("a fraction above 0 up to 1, or a percentage above 1 up to 100")),
    }
}

pub(super) fn stable_window(value: &Value<'_>) -> Result<Duration, String> {
    seconds(value, "6s"..="1h")
}

pub(super) fn scale_down_delay(value: &Value<'_>) -> Result<Duration, String> {
    seconds(value, "0s"..="1h")
}

/// A duration of whole seconds.
fn seconds(value: &Value<'_>, range: RangeInclusive<&str>) -> Result<Duration, String> {
    let duration = value.duration(range)?;
    if duration.subsec_nanos() != 0 {
        return Err(value.instead_of("whole seconds"));
    }
    Ok(duration)
}

/// The shortest pause and the longest: `1s..1m`, or one for both.
pub(super) fn backoff(value: &Value<'_>) -> Result<(Duration, Duration), String> {
    let expected = "one or two durations from \"10ms\" to \"1h\", like \"1s..1m\"";
    let text = value.string(expected)?;
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let duration = |text| Value::Text(text).duration("10ms"..="1h");
    match (duration(first), duration(last)) {
        (Ok(first), Ok(last)) if first <= last => Ok((first, last)),
        (Ok(_), Ok(_)) => Err(value.instead_of("the shorter duration first")),
        _ => Err(value.instead_of(expected)),
    }
}

pub(super) fn log(value: &Value<'_>) -> Result<InstanceLog, String> {
    match value.string("") {
        Ok("inherit") => Ok(InstanceLog::Inherit),
        Ok("off") => Ok(InstanceLog::Off),
        Ok(path) if is_path(path) => value.path().map(InstanceLog::File),
        _ => Err(value.instead_of("\"inherit\", \"off\" or a path, like \"./web.log\"")),
    }
}

/// Whether a text that may be a word as well was meant as a path: no word that was misspelt is.
pub(super) fn is_path(text: &str) -> bool {
    text.contains(['/', '.'])
}
