//! A launched revision as JSON: what its section says, resolved.

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::value;
use crate::revision::launch::{InstanceLog, LaunchSpec, PortSpec, ProcessSpec, Ready, Start};

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
    shown.retain(|_, value| !value.is_null());
    Json::Object(shown)
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

fn ready(ready: &Ready) -> String {
    match ready {
        Ready::Http(path) => format!("http:{path}"),
        Ready::Tcp => "tcp".to_owned(),
        Ready::Notify => "notify".to_owned(),
    }
}

fn text(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}
