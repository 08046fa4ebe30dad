//! Which fields of a launched revision go together.

use super::value::Idle;
use super::{Conflict, LaunchDraft, fields, placeholder};
use crate::revision::launch::{PortSpec, Ready};

/// Fields that only a process has.
const OF_PROCESS: &[&str] = &["args", "dir", "env", "user", "port", "stop_signal"];

/// What does not go together. `is_set` says whether the section has a field, `is_good` whether its value is valid.
pub(super) fn conflicts(
    draft: &LaunchDraft,
    tls: bool,
    is_set: impl Fn(&str) -> bool,
    is_good: impl Fn(&str) -> bool,
) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let mut refuse = |field, message: &str| conflicts.push((field, message.to_owned()));
    match (is_set("command"), is_set("start_command")) {
        (false, false) => {
            for field in fields().filter(|field| is_set(field)) {
                let needed = match field {
                    "stop_command" => "start_command",
                    field if OF_PROCESS.contains(&field) => "command",
                    _ => "command or start_command",
                };
                refuse(
                    field,
                    &format!("needs {needed}, by which instances are started"),
                );
            }
            return conflicts;
        }
        (true, true) => {
            refuse(
                "start_command",
                "excludes command: either one starts instances",
            );
        }
        (true, false) => {
            if is_set("backends") {
                refuse(
                    "backends",
                    "excludes command: they are the instances that it starts",
                );
            }
            if is_set("stop_command") {
                refuse(
                    "stop_command",
                    "needs start_command; what command started ends by stop_signal",
                );
            }
            if !is_set("max_scale") {
                refuse(
                    "max_scale",
                    "is missing: with command, say how many instances this machine has room for",
                );
            }
        }
        (false, true) => {
            for field in OF_PROCESS.iter().filter(|field| is_set(field)) {
                refuse(
                    field,
                    "needs command; what start_command starts has its own",
                );
            }
            if !is_set("backends") {
                refuse(
                    "start_command",
                    "needs backends: where to reach what it starts",
                );
            }
            if draft.ready == Some(Ready::Notify) {
                refuse(
                    "ready",
                    "\"notify\" needs command; use \"http:/path\" or \"tcp\"",
                );
            }
            if draft.idle_action == Idle::Freeze {
                refuse(
                    "idle_action",
                    "\"freeze\" needs command: only a process can be frozen",
                );
            }
            if draft.max_scale.is_some_and(|max| max != 1) {
                refuse(
                    "max_scale",
                    "must be 1 with start_command, which starts one instance",
                );
            }
        }
    }
    if is_set("probe") {
        refuse(
            "probe",
            "has no meaning for instances that are started here; use ready",
        );
    }
    if is_set("freeze_for") && draft.idle_action == Idle::Stop && is_good("idle_action") {
        refuse("freeze_for", "needs idle_action = \"freeze\"");
    }
    if let PortSpec::Fixed(port) = draft.port
        && draft.max_scale.is_some_and(|max| max > 1)
    {
        let message =
            format!("must be 1 with port = {port}, on which only one instance can listen");
        refuse("max_scale", &message);
    }
    if draft.port == PortSpec::Socket && tls {
        refuse(
            "tls",
            "is not possible over a unix socket; use another port",
        );
    }
    if tls && matches!(draft.ready, Some(Ready::Http(_))) {
        refuse("ready", "is asked without TLS; use \"tcp\" or \"notify\"");
    }
    if is_good("port") {
        conflicts.extend(placeholder::misused(draft));
    }
    conflicts.extend(of_scale(draft, is_good));
    conflicts
}

/// The same among the numbers of instances.
fn of_scale(draft: &LaunchDraft, is_good: impl Fn(&str) -> bool) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let max_scale = draft.max_scale.filter(|_| is_good("max_scale"));
    if let Some(max) = max_scale
        && draft.min_scale > max
    {
        conflicts.push((
            "min_scale",
            format!("must not be greater than max_scale, {max}"),
        ));
    }
    if let Some(activation) = draft.activation_scale {
        let min = draft.min_scale;
        if max_scale.is_some_and(|max| activation > max) {
            let message = "must not be greater than max_scale";
            conflicts.push(("activation_scale", message.to_owned()));
        } else if is_good("min_scale") && activation < min {
            let message = format!("must not be less than min_scale, {min}");
            conflicts.push(("activation_scale", message));
        }
    }
    conflicts
}
