//! What the answers of a cluster mean for an activator, in sentences. Pure.

use std::fmt;

use super::right::{Need, RIGHTS};
use crate::source::config_maps::{Remark, RemarkKind};

/// A sentence about a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    level: Level,
    text: String,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Ok,
    /// It works, though not like everything that Knative's activator does, or not as well.
    Note,
    /// It does not work.
    Error,
}

/// An object, as far as it can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Seen<T> {
    There(T),
    #[default]
    Missing,
    /// Why it cannot be seen.
    Unknown(String),
}

/// The answers of a cluster.
#[derive(Default)]
pub(super) struct Facts {
    /// The version of Kubernetes.
    pub(super) version: String,
    /// Whether there can be revisions. If not, nothing else was asked.
    pub(super) has_knative: bool,
    /// Of each right the verbs that are refused, or why that is not known.
    pub(super) refused: Vec<Result<Vec<&'static str>, String>>,
    /// Each ConfigMap, by name.
    pub(super) maps: Vec<(String, Seen<()>)>,
    /// What there is to say of their values.
    pub(super) remarks: Vec<Remark>,
    /// Whether the ConfigMaps ask for TLS.
    pub(super) needs_tls: bool,
    /// The keys that the Secret for TLS lacks.
    pub(super) secret: Seen<Vec<&'static str>>,
    /// The Service of the activators.
    pub(super) service: Seen<()>,
}

impl<T> Seen<T> {
    pub(super) fn map<U>(self, map: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::There(object) => Seen::There(map(object)),
            Self::Missing => Seen::Missing,
            Self::Unknown(why) => Seen::Unknown(why),
        }
    }
}

impl Line {
    /// Whether it says that something does not work.
    pub(crate) fn is_error(&self) -> bool {
        self.level == Level::Error
    }

    /// Whether it says that something is as it should be.
    #[cfg(test)]
    pub(super) fn is_ok(&self) -> bool {
        self.level == Level::Ok
    }
}

/// There is no API server, or none that answers.
pub(super) fn unreachable(why: &str) -> Line {
    error(format!(
        "the API server of the cluster cannot be asked: {why}"
    ))
}

/// What the answers mean.
pub(super) fn verdict(namespace: &str, facts: Facts) -> Vec<Line> {
    let mut lines = vec![ok(format!("Kubernetes {}", facts.version))];
    if !facts.has_knative {
        let missing = "there is no Knative Serving: the API server has no revisions in serving.knative.dev/v1";
        lines.push(error(missing.to_owned()));
        return lines;
    }
    let needs_tls = facts.needs_tls;
    lines.extend(rights(namespace, &facts.refused, needs_tls));
    for (name, seen) in &facts.maps {
        let object = format!("ConfigMap {name} in {namespace}");
        lines.push(match seen {
            Seen::There(()) => ok(object),
            Seen::Missing => note(format!(
                "{object} is missing: its settings are the defaults"
            )),
            Seen::Unknown(why) => error(format!("{object} cannot be read: {why}")),
        });
    }
    lines.extend(facts.remarks.iter().map(|remark| match remark.kind {
        RemarkKind::Wrong(_) => error(remark.to_string()),
        RemarkKind::NotSupported(_) => note(remark.to_string()),
    }));
    if needs_tls {
        lines.push(secret(namespace, &facts.secret));
    }
    let service = format!("Service {} in {namespace}", super::ACTIVATORS);
    lines.push(match facts.service {
        Seen::There(()) => ok(service),
        Seen::Missing => error(format!(
            "{service} is missing: by it Knative's controller finds the activators"
        )),
        Seen::Unknown(why) => note(format!("{service} cannot be read: {why}")),
    });
    lines
}

/// What may be read.
fn rights(
    namespace: &str,
    refused: &[Result<Vec<&'static str>, String>],
    needs_tls: bool,
) -> Vec<Line> {
    let is_allowed = |need| {
        let mut all = RIGHTS.iter().zip(refused);
        all.any(|(right, refused)| right.need == need && refused == &Ok(Vec::new()))
    };
    let (has_slices, has_endpoints) = (
        is_allowed(Need::Addresses),
        is_allowed(Need::OlderAddresses),
    );
    let line = |(right, refused): (&super::Right, &Result<Vec<&'static str>, String>)| {
        let is_needed = match right.need {
            Need::OlderAddresses => !has_slices,
            Need::Tls => needs_tls,
            Need::Always | Need::Addresses | Need::Mesh => true,
        };
        if !is_needed {
            return None;
        }
        let objects = right.objects(namespace);
        let refused = match refused {
            Ok(refused) if refused.is_empty() => {
                return Some(ok(format!("{objects}: {}", right.verbs.join(", "))));
            }
            Ok(refused) => format!("{objects}: {} is not allowed", refused.join(", ")),
            Err(why) => format!("{objects}: it is not known what is allowed: {why}"),
        };
        Some(match right.need {
            Need::Addresses if has_endpoints => {
                note(format!("{refused}; Endpoints are read instead"))
            }
            Need::Mesh => note(format!(
                "{refused}; with a service mesh, instances cannot be reached"
            )),
            _ => error(refused),
        })
    };
    RIGHTS.iter().zip(refused).filter_map(line).collect()
}

fn secret(namespace: &str, seen: &Seen<Vec<&'static str>>) -> Line {
    let object = format!("Secret {} in {namespace}", super::CERTIFICATE);
    let why = "which system-internal-tls in config-network needs";
    match seen {
        Seen::There(missing) if missing.is_empty() => ok(object),
        Seen::There(missing) => {
            let missing = missing.join(", ");
            error(format!("{object}, {why}, has no {missing}"))
        }
        Seen::Missing => error(format!("{object}, {why}, is missing")),
        Seen::Unknown(reason) => error(format!("{object}, {why}, cannot be read: {reason}")),
    }
}

fn ok(text: String) -> Line {
    let level = Level::Ok;
    Line { level, text }
}

fn note(text: String) -> Line {
    let level = Level::Note;
    Line { level, text }
}

fn error(text: String) -> Line {
    let level = Level::Error;
    Line { level, text }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Error => "error",
        };
        write!(f, "{level}: {}", self.text)
    }
}
