//! The sections `[[sink]]`: where reports go. A new kind is a table of its settings and an arm in `read`.

use std::collections::BTreeMap;

use http::Uri;
use reporter_runtime::sink::autoscaler::AutoscalerConfig;

use super::file::{Reader, Section};
use super::problem::quoted;
use super::setting::Default::{Is, Required, Unset};
use super::setting::{Setting, set};
use super::value::Value;
use super::{JsonLinesConfig, SinkConfig};

/// The settings of a sink of JSON lines.
pub static JSON_LINES: &[Setting<JsonLinesConfig>] = &[Setting::new(
    "path",
    Is("-"),
    "The file that lines are appended to; - is standard output",
    |sink, value| {
        let path = value.text()?;
        sink.path = (path != "-").then(|| path.into());
        Ok(())
    },
)];

/// The settings of the link to an autoscaler.
pub static AUTOSCALER: &[Setting<AutoscalerConfig>] = &[
    Setting::new(
        "url",
        Required,
        "The autoscaler's address, ws://host:port or wss://host:port",
        |sink, value| set(&mut sink.url, websocket_url(value)),
    ),
    Setting::new(
        "ca_file",
        Unset,
        "CA certificates (PEM) that verify a wss:// autoscaler, instead of the system's",
        |sink, value| {
            set(
                &mut sink.ca_file,
                value.text().map(|path| Some(path.into())),
            )
        },
    ),
    Setting::new(
        "handshake_timeout",
        Is("3s"),
        "How long connecting may take, handshakes included",
        |sink, value| set(&mut sink.handshake_timeout, value.duration("10ms"..="1m")),
    ),
    Setting::new(
        "ping_interval",
        Is("3333ms"),
        "How often an idle link is pinged",
        |sink, value| set(&mut sink.ping_interval, value.duration("10ms"..="5m")),
    ),
    Setting::new(
        "pong_timeout",
        Is("10s"),
        "How long the link may go without a pong before it is closed",
        |sink, value| set(&mut sink.pong_timeout, value.duration("10ms"..="10m")),
    ),
    Setting::new(
        "write_timeout",
        Is("5s"),
        "How long writing a frame may take before the link is closed",
        |sink, value| set(&mut sink.write_timeout, value.duration("10ms"..="10m")),
    ),
    Setting::new(
        "backoff",
        Is("100ms"),
        "The pause before the second attempt to connect; later ones are longer",
        |sink, value| set(&mut sink.backoff, value.duration("1ms"..="1m")),
    ),
    Setting::new(
        "backoff_factor",
        Is("1.3"),
        "The factor by which each pause grows",
        |sink, value| set(&mut sink.backoff_factor, value.number(1.0..=10.0)),
    ),
    Setting::new(
        "backoff_jitter",
        Is("0.5"),
        "The random part added to each pause, as a fraction of it",
        |sink, value| set(&mut sink.backoff_jitter, value.number(0.0..=1.0)),
    ),
    Setting::new(
        "backoff_max",
        Is("500ms"),
        "The longest pause, before the random part is added",
        |sink, value| set(&mut sink.backoff_max, value.duration("1ms"..="10m")),
    ),
    Setting::new(
        "max_frame_messages",
        Is("1000"),
        "The most messages per frame",
        |sink, value| set(&mut sink.max_frame_messages, value.whole(1..=10_000)),
    ),
    Setting::new(
        "max_unconfirmed_frames",
        Is("32"),
        "The most unconfirmed frames; later reports wait, merged per revision",
        |sink, value| set(&mut sink.max_unconfirmed_frames, value.whole(1..=1_024)),
    ),
];

const KINDS: &[(&str, Kind)] = &[
    ("json-lines", Kind::JsonLines),
    ("autoscaler", Kind::Autoscaler),
];

#[derive(Clone, Copy)]
enum Kind {
    JsonLines,
    Autoscaler,
}

/// Reads the sections `[[sink]]`.
pub(super) fn read_all(reader: &mut Reader<'_>, root: &Section<'_>) -> Vec<SinkConfig> {
    let mut seen = BTreeMap::new();
    let mut sinks = Vec::new();
    for section in reader.sections(root, "sink") {
        let Some(sink) = read(reader, &section) else {
            continue;
        };
        let target = match &sink {
            SinkConfig::JsonLines(JsonLinesConfig { path: None }) => "standard output".to_owned(),
            SinkConfig::JsonLines(JsonLinesConfig { path: Some(path) }) => {
                quoted(&path.to_string_lossy())
            }
            SinkConfig::Autoscaler(sink) => quoted(&sink.url),
        };
        if let Some(other) = seen.insert(target.clone(), section.name.clone()) {
            let message = format!("writes to {target}, as does {other}");
            let (place, name) = (section.place.clone(), section.name.clone());
            reader.problems.push(place, name, message);
        }
        sinks.push(sink);
    }
    sinks
}

/// Reads one section; none when something is wrong with it.
fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<SinkConfig> {
    let problems = reader.problems.as_slice().len();
    let sink = match reader.choice(section, "kind", KINDS)? {
        Kind::JsonLines => {
            let mut sink = JsonLinesConfig { path: None };
            reader.read(section, JSON_LINES, &["kind"], &mut sink);
            SinkConfig::JsonLines(sink)
        }
        Kind::Autoscaler => SinkConfig::Autoscaler(read_autoscaler(reader, section)),
    };
    (reader.problems.as_slice().len() == problems).then_some(sink)
}

fn read_autoscaler(reader: &mut Reader<'_>, section: &Section<'_>) -> AutoscalerConfig {
    let mut sink = AutoscalerConfig::new("");
    let places = reader.read(section, AUTOSCALER, &["kind"], &mut sink);
    let mut check = |ok: bool, field: &'static str, message: &str| {
        if !ok {
            let place = places.get(field).unwrap_or(&section.place).clone();
            reader
                .problems
                .push(place, section.field(field), message.to_owned());
        }
    };
    check(
        sink.ping_interval < sink.pong_timeout,
        "pong_timeout",
        "is not longer than ping_interval: every idle link would be given up",
    );
    check(
        sink.backoff <= sink.backoff_max,
        "backoff_max",
        "is shorter than backoff",
    );
    check(
        sink.ca_file.is_none() || sink.url.starts_with("wss:"),
        "ca_file",
        "is of no use without TLS; give a wss:// url",
    );
    sink
}

fn websocket_url(value: &Value<'_>) -> Result<String, String> {
    let expected = "a URL, ws://host:port or wss://host:port";
    let url: Uri = value.string(expected)?.parse().unwrap_or_default();
    match (url.scheme_str(), url.authority()) {
        // It would end up in logs, so neither is it in this message.
        (_, Some(authority)) if authority.as_str().contains('@') => {
            Err(format!("expected {expected}, without a user's name"))
        }
        (Some("ws" | "wss"), Some(authority)) if !authority.host().is_empty() => {
            Ok(url.to_string())
        }
        _ => Err(value.instead_of(expected)),
    }
}
