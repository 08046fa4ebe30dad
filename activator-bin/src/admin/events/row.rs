//! What readers of events are told of one revision, and how two states of it differ.

use std::sync::Arc;

use reporter_core::RevisionKey;
use reporter_metrics::BackendState;
use serde_json::{Map, Value as Json, json};

use super::history::Recent;
use crate::host::HostPattern;
use crate::launcher::Shown;
use crate::probe::BackendCounts;

/// The fields of a JSON object.
pub(super) type Fields = Map<String, Json>;

/// What is shown of a revision, but its key.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) hosts: Arc<[HostPattern]>,
    pub(super) in_flight: u64,
    pub(super) queued: usize,
    /// Its backends by state, if it is awake and its instances are not started here.
    pub(super) states: Option<BackendCounts>,
    /// Its instances that are started here.
    pub(super) status: Option<Arc<Shown>>,
    /// Its last minute, if it had requests.
    pub(super) recent: Option<Recent>,
}

impl Row {
    /// Whether it has, or may soon have, an instance.
    pub(super) fn is_awake(&self) -> bool {
        match &self.status {
            Some(status) => status.is_awake,
            None => self.states.is_some(),
        }
    }

    /// All that is not nothing, besides its history.
    fn fields(&self) -> Fields {
        let mut fields = Fields::new();
        let mut set = |name: &str, value: Json| {
            if !is_nothing(&value) {
                fields.insert(name.to_owned(), value);
            }
        };
        let hosts: Vec<&str> = self.hosts.iter().map(HostPattern::as_str).collect();
        set("hosts", json!(hosts));
        set("in_flight", json!(self.in_flight));
        set("queued", json!(self.queued));
        if let Some(counts) = &self.states {
            // An empty object says that it is awake and has none.
            let state = |state: BackendState| (state.as_str(), counts.of(state));
            let some = BackendState::ALL.into_iter().map(state);
            let states: Fields = some
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| (name.to_owned(), json!(count)))
                .collect();
            fields.insert("states".to_owned(), states.into());
        }
        if let Some(status) = &self.status {
            let mut status = status.json.clone();
            if let Some(fields) = status.as_object_mut() {
                fields.retain(|_, value| !is_nothing(value));
            }
            fields.insert("status".to_owned(), status);
        }
        fields
    }

    /// The revision as a whole, with the slots that had ended before `open`.
    pub(super) fn shown(&self, key: &RevisionKey, open: u64) -> Json {
        named(key, self.fields(), self.history(0, open))
    }

    /// What is different from `before`, with the slots from `from` on; `None` if nothing is.
    pub(super) fn changed(
        &self,
        key: &RevisionKey,
        before: Option<&Self>,
        from: u64,
        open: u64,
    ) -> Option<Json> {
        let Some(before) = before else {
            return Some(self.shown(key, open));
        };
        if self == before {
            return None;
        }
        let changes = changes(before.fields(), self.fields());
        let history = self.history(from, open);
        (!changes.is_empty() || history.is_some()).then(|| named(key, changes, history))
    }

    fn history(&self, from: u64, open: u64) -> Option<Json> {
        let recent = self.recent.as_ref().filter(|it| it.has_since(from))?;
        Some(recent.since(from, open).map(|it| it.to_json()).collect())
    }
}

/// The fields of `now` that are not as before; what is no longer there is null.
pub(super) fn changes(before: Fields, now: Fields) -> Fields {
    let gone = before.keys().filter(|name| !now.contains_key(*name));
    let gone: Fields = gone.map(|name| (name.clone(), Json::Null)).collect();
    let is_other = |(name, value): &(String, Json)| before.get(name) != Some(value);
    now.into_iter().filter(is_other).chain(gone).collect()
}

/// A revision's fields, after its key.
pub(super) fn named(key: &RevisionKey, fields: Fields, history: Option<Json>) -> Json {
    let mut all = Fields::new();
    all.insert("namespace".to_owned(), key.namespace().into());
    all.insert("name".to_owned(), key.name().into());
    all.extend(fields);
    if let Some(history) = history {
        all.insert("history".to_owned(), history);
    }
    all.into()
}

/// Whether a field that is missing says the same.
fn is_nothing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Number(number) => number.as_u64() == Some(0),
        Json::Array(all) => all.is_empty(),
        Json::Object(all) => all.is_empty(),
        Json::Bool(_) | Json::String(_) => false,
    }
}
