//! The `[[sink]]` sections: where reports go. A new kind is a section of its settings and an arm in `read`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use http::Uri;
use reporter_runtime::sink::autoscaler::{AutoscalerConfig, AutoscalerNumber, Slot};

use super::SinkConfig;
use super::file::{Reader, Section};
use crate::settings::Default::{Is, Required, Unset};
use crate::settings::{Setting, Settings, Value, quoted, set, settings};

settings! {
    /// A sink of JSON lines.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct JsonLinesConfig in "" {
        /// The file that lines are appended to; - is standard output.
        path: Option<PathBuf> = "-", path_or_stdout();
    }
}

/// The sink's own table has the numbers with their ranges; here they are read.
impl Settings for AutoscalerConfig {
    fn settings() -> Vec<Setting> {
        let url = "The autoscaler's address, ws://host:port or wss://host:port";
        let ca_file =
            "CA certificates (PEM) that verify a wss:// autoscaler, instead of the system's";
        let mut settings = vec![
            Setting::new("url", Required, url),
            Setting::new("ca_file", Unset, ca_file),
        ];
        settings.extend(numbers().map(|it| Setting::new(it.field, Is(it.default), it.help)));
        settings
    }

    fn apply(&mut self, field: &str, value: &Value<'_>) -> Option<Result<(), String>> {
        Some(match field {
            "url" => set(&mut self.url, value.by(websocket_url)),
            "ca_file" => set(&mut self.ca_file, value.path().map(Some)),
            _ => {
                let number = numbers().find(|it| it.field == field)?;
                match (number.slot)(self) {
                    Slot::Duration(slot, range) => set(slot, value.duration(range)),
                    Slot::Factor(slot, range) => set(slot, value.number(range)),
                    Slot::Count(slot, range) => set(slot, value.whole(range)),
                }
            }
        })
    }

    // Sinks are compared as a whole.
    fn differs(&self, other: &Self, _: &str) -> bool {
        self != other
    }
}

/// The numbers that are set per sink; `flush_timeout` comes from `[reporter]`.
fn numbers() -> impl Iterator<Item = &'static AutoscalerNumber> {
    let numbers = AutoscalerConfig::NUMBERS.iter();
    numbers.filter(|it| it.field != "flush_timeout")
}

const KINDS: &[(&str, Kind)] = &[
    ("json-lines", Kind::JsonLines),
    ("autoscaler", Kind::Autoscaler),
];

#[derive(Clone, Copy)]
enum Kind {
    JsonLines,
    Autoscaler,
}

/// Reads the `[[sink]]` sections.
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
            let (location, name) = (section.location.clone(), section.name.clone());
            reader.problems.push(location, name, message);
        }
        sinks.push(sink);
    }
    sinks
}

/// Reads one section; `None` when it has problems.
fn read(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<SinkConfig> {
    let problems = reader.problems.as_slice().len();
    let sink = match reader.choice(section, "kind", KINDS)? {
        Kind::JsonLines => {
            let mut sink = JsonLinesConfig::default();
            reader.read(section, &["kind"], &mut sink);
            SinkConfig::JsonLines(sink)
        }
        Kind::Autoscaler => SinkConfig::Autoscaler(read_autoscaler(reader, section)),
    };
    (reader.problems.as_slice().len() == problems).then_some(sink)
}

fn read_autoscaler(reader: &mut Reader<'_>, section: &Section<'_>) -> AutoscalerConfig {
    let mut sink = AutoscalerConfig::new("");
    let locations = reader.read(section, &["kind"], &mut sink);
    let mut problem = |field: &'static str, message: String| {
        let location = locations.get(field).unwrap_or(&section.location).clone();
        reader
            .problems
            .push(location, section.field(field), message);
    };
    if sink.ping_interval >= sink.pong_timeout {
        let message = "must be longer than ping_interval, or every idle link would be closed";
        problem("pong_timeout", message.to_owned());
    }
    for conflict in sink.conflicts() {
        problem(conflict.field, conflict.problem);
    }
    sink
}

fn websocket_url(value: &Value<'_>) -> Result<String, String> {
    let expected = "a URL, ws://host:port or wss://host:port";
    let url: Uri = value.string(expected)?.parse().unwrap_or_default();
    match (url.scheme_str(), url.authority()) {
        // Credentials would end up in logs, so they are left out of this message too.
        (_, Some(authority)) if authority.as_str().contains('@') => {
            Err(format!("expected {expected}, without a user name"))
        }
        (Some("ws" | "wss"), Some(authority)) if !authority.host().is_empty() => {
            Ok(url.to_string())
        }
        _ => Err(value.instead_of(expected)),
    }
}
