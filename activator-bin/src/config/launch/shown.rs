//! A launched revision as JSON: what its section says, resolved.

use std::time::Duration;

use serde_json::{Map, Value as Json, json};

use super::schedule::DAYS;
use super::value;
use crate::revision::launch::{
    BusyCheck, IdleAction, IgnoreRule, InstanceLog, LaunchSpec, PortSpec, ProcessSpec, Ready,
    ScheduleEntry, Start, WaitingPage,
};

/// All fields, under their names in the file. Of `env` only the names: values may be secret.
pub(in super::super) fn to_json(spec: &LaunchSpec) -> Json {
    let LaunchSpec {
        scale, restarts, ..
    } = spec;
    let fields = json!({
        "ready": ready(&spec.ready),
        "start_timeout": text(spec.start_timeout),
        "stop_signal": value::signal_name(spec.stop_signal),
        "stop_timeout": text(spec.stop_timeout),
        "target": scale.target,
        "target_utilization": scale.target_utilization,
        "stable_window": text(scale.stable_window),
        "panic_window_percentage": scale.panic_window_percentage,
        "panic_threshold_percentage": scale.panic_threshold_percentage,
        "min_scale": scale.min_scale,
        "max_scale": scale.max_scale,
        "initial_scale": scale.initial_scale,
        "activation_scale": scale.activation_scale,
        "scale_down_delay": text(scale.scale_down_delay),
        "scale_to_zero_pod_retention_period": text(scale.scale_to_zero_pod_retention_period),
        "min_uptime": text(spec.min_uptime),
        "idle_action": match spec.idle_action {
            IdleAction::Stop => "stop",
            IdleAction::Freeze { .. } => "freeze",
        },
        "freeze_for": match spec.idle_action {
            IdleAction::Stop => None,
            IdleAction::Freeze { freeze_for } => Some(text(freeze_for)),
        },
        "busy_check": match &spec.busy_check {
            None => Json::Null,
            Some(BusyCheck::Http(path)) => format!("http:{path}").into(),
            Some(BusyCheck::Command(words)) => json!(words),
        },
        "group": spec.group.as_ref().map(|group| &group.name),
        "ignore": spec.ignore.iter().map(ignore).collect::<Vec<_>>(),
        "asleep_status": spec.asleep_status,
        "waiting_page": match spec.waiting_page {
            WaitingPage::Auto => "auto",
            WaitingPage::Off => "off",
            WaitingPage::Page(_) => "file",
        },
        "schedule": spec.schedule.iter().map(entry).collect::<Vec<_>>(),
        "restart_backoff": format!("{}..{}", text(restarts.backoff), text(restarts.max_backoff)),
        "max_restarts": restarts.max_restarts,
        "restart_window": text(restarts.window),
        "log": match &spec.log {
            InstanceLog::Inherit => "inherit".into(),
            InstanceLog::Off => "off".into(),
            InstanceLog::File(path) => path.to_string_lossy(),
        },
    });
    let (Json::Object(mut shown), Json::Object(fields)) = (start(&spec.start), fields) else {
        unreachable!("both are objects");
    };
    shown.extend(fields);
    Json::Object(without_nulls(shown))
}

/// A field that is not there was not set.
fn without_nulls(mut fields: Map<String, Json>) -> Map<String, Json> {
    fields.retain(|_, value| !value.is_null());
    fields
}

fn ignore(rule: &IgnoreRule) -> Map<String, Json> {
    let source = rule
        .source
        .map(|(address, bits)| format!("{address}/{bits}"));
    let fields = [
        ("path", json!(rule.path)),
        ("user_agent", json!(rule.user_agent)),
        ("source", json!(source)),
    ];
    without_nulls(
        fields
            .map(|(name, value)| (name.to_owned(), value))
            .into_iter()
            .collect(),
    )
}

fn entry(entry: &ScheduleEntry) -> Json {
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let days = DAYS.iter().zip(entry.days).filter(|(_, is_in)| *is_in);
    json!({
        "days": days.map(|(day, _)| *day).collect::<Vec<_>>().join(","),
        "from": time(entry.from),
        "to": time(entry.to),
        "min_scale": entry.min_scale,
    })
}

fn start(start: &Start) -> Json {
    match start {
        Start::Process(ProcessSpec {
            command,
            dir,
            env,
            user,
            port,
        }) => json!({
            "command": command,
            "dir": dir.as_ref().map(|dir| dir.to_string_lossy()),
            "env": env.keys().collect::<Vec<_>>(),
            "user": user,
            "port": match port {
                PortSpec::Auto => "auto".into(),
                PortSpec::Socket => "socket".into(),
                PortSpec::Passed => "fd".into(),
                PortSpec::Fixed(port) => Json::from(*port),
            },
        }),
        Start::Commands { start, stop } => json!({
            "start_command": start,
            "stop_command": (!stop.is_empty()).then_some(stop),
        }),
    }
}

/// `None` for the default.
fn ready(ready: &Ready) -> Option<String> {
    match ready {
        Ready::Serving => None,
        Ready::Http(path) => Some(format!("http:{path}")),
        Ready::Tcp => Some("tcp".to_owned()),
        Ready::Notify => Some("notify".to_owned()),
    }
}

fn text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
