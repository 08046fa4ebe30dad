//! Unknown names, and what they were probably meant to be.

use std::collections::BTreeSet;

use crate::settings::{Setting, nearest, quoted};

/// Names that those will try who know Knative, and what is meant.
const KNATIVES: [(&str, &str); 1] = [("request_log", "format in [access_log]")];

/// The message for `key`, found in the section `prefix` (with its dot; empty at the top).
pub(super) fn field(prefix: &str, key: &str, settings: &[Setting], others: &[&str]) -> String {
    if let Some((_, name)) = KNATIVES.iter().find(|(known, _)| *known == key) {
        return format!("unknown field; it is {name}");
    }
    let fields = || settings.iter().map(|setting| setting.field);
    let here: BTreeSet<&str> = fields()
        .filter_map(|field| field.strip_prefix(prefix))
        .map(|rest| rest.split('.').next().unwrap_or(rest))
        .chain(others.iter().copied().filter(|_| prefix.is_empty()))
        .collect();
    if let Some(near) = nearest(key, here.iter().copied()) {
        return format!("unknown field; did you mean {near:?}?");
    }
    let elsewhere = fields().find(|field| field.rsplit('.').next() == Some(key));
    match elsewhere.map(|field| field.rsplit_once('.')) {
        Some(Some((section, _))) => format!("unknown field here; it belongs to [{section}]"),
        Some(None) => "unknown field here; it belongs above the first section".to_owned(),
        None => {
            let here: Vec<&str> = here.into_iter().collect();
            format!("unknown field; known here: {}", here.join(", "))
        }
    }
}

/// The path of a key that may contain anything, at a readable length.
pub(super) fn path(prefix: &str, key: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.len() <= 80 && !key.is_empty() && key.chars().all(plain) {
        format!("{prefix}{key}")
    } else {
        format!("{prefix}{}", quoted(key))
    }
}
