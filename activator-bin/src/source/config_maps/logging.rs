//! config-logging: the level of log lines.

use serde_json::Value as Json;
use tracing_subscriber::filter::LevelFilter;

use super::data::{Data, Wrong};
use super::{ClusterSettings, Found};
use crate::settings::Value;

/// The level of the activator alone.
const OWN: &str = "loglevel.activator";
/// The settings of all of Knative's log lines, as JSON.
const ALL: &str = "zap-logger-config";

/// Those above error are of log lines that end a process in Go.
const LEVELS: &[(&str, LevelFilter)] = &[
    ("debug", LevelFilter::DEBUG),
    ("info", LevelFilter::INFO),
    ("warn", LevelFilter::WARN),
    ("error", LevelFilter::ERROR),
    ("dpanic", LevelFilter::ERROR),
    ("panic", LevelFilter::ERROR),
    ("fatal", LevelFilter::ERROR),
];
const EXPECTED: &str = "the level debug, info, warn or error";
const DEFAULT: LevelFilter = LevelFilter::INFO;

pub(super) fn read(data: Data<'_>, settings: &mut ClusterSettings, found: &mut Found) {
    let level = match data.get(OWN) {
        Some(text) => level(OWN, text),
        None => data.get(ALL).map_or(Ok(DEFAULT), common_level),
    };
    found.set(&mut settings.log_level, level);
}

fn level(key: &'static str, text: &str) -> Result<LevelFilter, Wrong> {
    let find = |(name, _): &&(&str, LevelFilter)| text.eq_ignore_ascii_case(name);
    let found = LEVELS.iter().find(find).map(|it| it.1);
    found.ok_or_else(|| Wrong::new(key, text, EXPECTED))
}

/// The level in a JSON object, which has much else.
fn common_level(text: &str) -> Result<LevelFilter, Wrong> {
    let wrong = |why| Wrong { key: ALL, why };
    let json = serde_json::from_str(text);
    let json = json.map_err(|error| wrong(format!("expected a JSON object: {error}")))?;
    let Json::Object(fields) = json else {
        return Err(wrong(Value::Json(&json).instead_of("a JSON object")));
    };
    match fields.get("level") {
        None | Some(Json::Null) => Ok(DEFAULT),
        Some(Json::String(text)) if text.is_empty() => Ok(DEFAULT),
        Some(Json::String(text)) => level(ALL, text),
        Some(other) => Err(wrong(Value::Json(other).instead_of(EXPECTED))),
    }
}
