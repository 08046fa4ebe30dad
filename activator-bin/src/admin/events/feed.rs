//! The state that readers of events follow, what has changed since a second ago, and what each reader gets next: pure.
//!
//! What must not live here: where the state comes from, connections.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write;
use std::mem;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use reporter_core::RevisionKey;
use rpds::RedBlackTreeMapSync;
use serde_json::{Value as Json, json};

use super::history::{Recent, SLOTS};
use super::row::{Fields, Row, changes, named};

/// The length of a piece of a snapshot; the last revision in it may exceed that.
const PIECE: usize = 64 << 10;

/// How many changes a reader may be behind before it gets a snapshot.
const MOST_CHANGES: usize = 16;
/// How long these may be together.
const MOST_BYTES: usize = 4 << 20;

/// All that is shown at a moment. Clones share it.
#[derive(Clone, Default)]
pub(super) struct State {
    /// What is shown of the process.
    server: Fields,
    rows: RedBlackTreeMapSync<RevisionKey, Arc<Row>>,
    /// The slot of the history that had begun.
    open: u64,
    /// The last minute of all revisions together.
    recent: Option<Recent>,
}

/// All that is to be shown from now on.
pub(super) struct View<R> {
    pub(super) server: Fields,
    /// In the order of their keys.
    pub(super) rows: R,
    pub(super) open: u64,
    pub(super) recent: Option<Recent>,
}

impl State {
    pub(super) fn row(&self, key: &RevisionKey) -> Option<&Row> {
        self.rows.get(key).map(|row| &**row)
    }

    pub(super) fn recent(&self) -> Option<&Recent> {
        self.recent.as_ref()
    }

    /// The state that `view` shows, and what has changed, as JSON. `None` if nothing has.
    pub(super) fn next<R>(&self, view: View<R>) -> (Self, Option<String>)
    where
        R: IntoIterator<Item = (RevisionKey, Row)>,
    {
        let open = view.open.max(self.open);
        let mut rows = self.rows.clone();
        let mut changed = Vec::new();
        let mut gone: BTreeSet<&RevisionKey> = BTreeSet::new();
        let mut before = self.rows.iter().peekable();
        for (key, row) in view.rows {
            while let Some((passed, _)) = before.next_if(|(it, _)| **it < key) {
                gone.insert(passed);
            }
            let before = before.next_if(|(it, _)| **it == key);
            let before = before.map(|(_, row)| &**row);
            let change = row.changed(&key, before, self.open, open);
            if before != Some(&row) {
                rows.insert_mut(key, Arc::new(row));
            }
            changed.extend(change);
        }
        gone.extend(before.map(|(key, _)| key));
        for key in &gone {
            rows.remove_mut(*key);
        }
        let server = changes(self.server.clone(), view.server.clone());
        // A minute is shown to pass.
        let is_recent = |it: &Recent| it.has_since(self.open.saturating_sub(SLOTS as u64));
        let passes = open > self.open
            && view
                .recent
                .as_ref()
                .or(self.recent())
                .is_some_and(is_recent);
        let is_same = changed.is_empty() && gone.is_empty() && server.is_empty() && !passes;
        let next = Self {
            server: view.server,
            rows,
            open,
            recent: view.recent,
        };
        let gone = gone.into_iter().map(|key| named(key, Fields::new(), None));
        let text = (!is_same).then(|| {
            let history = next.history(self.open);
            let mut event = Fields::new();
            let slots = (open - self.open).min(SLOTS as u64);
            put(&mut event, "slots", json!(slots));
            put(&mut event, "server", server.into());
            put(&mut event, "history", history);
            put(&mut event, "revisions", changed.into());
            put(&mut event, "removed", gone.collect());
            Json::from(event).to_string()
        });
        (next, text)
    }

    fn history(&self, from: u64) -> Json {
        let recent = self.recent.as_ref().filter(|it| it.has_since(from));
        let samples = recent.map(|it| it.since(from, self.open).map(|it| it.to_json()));
        samples.into_iter().flatten().collect()
    }
}

/// Sets a field unless it is empty.
fn put(event: &mut Fields, name: &str, value: Json) {
    let is_empty = match &value {
        Json::Array(all) => all.is_empty(),
        Json::Object(all) => all.is_empty(),
        _ => value == json!(0),
    };
    if !is_empty {
        event.insert(name.to_owned(), value);
    }
}

/// The state, and the changes that led to it.
#[derive(Default)]
pub(super) struct Feed {
    state: State,
    /// The number of the last change.
    number: u64,
    /// The last changes, in order and without a gap.
    changes: VecDeque<Bytes>,
}

/// What a reader gets next.
pub(super) enum Next {
    /// Nothing yet.
    Wait,
    /// The change of this number, as an event.
    Change(u64, Bytes),
    /// All of it.
    Snapshot(Snapshot),
}

impl Feed {
    pub(super) fn state(&self) -> &State {
        &self.state
    }

    /// The number of the last change.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Goes on to a state. Without a `change` it is shown to readers like the one before.
    pub(super) fn advance(&mut self, state: State, change: Option<String>) {
        self.state = state;
        let Some(change) = change else {
            return;
        };
        self.number += 1;
        let event = event("change", Some(self.number), &change);
        self.changes.push_back(event.into());
        let mut bytes: usize = self.changes.iter().map(Bytes::len).sum();
        while self.changes.len() > MOST_CHANGES || bytes > MOST_BYTES {
            bytes -= self.changes.pop_front().map_or(bytes, |it| it.len());
        }
    }

    /// What a reader gets that has all changes up to `number`, or nothing yet. `own` is what the process shows to it
    /// alone.
    pub(super) fn next(&self, number: Option<u64>, own: &Fields) -> Next {
        let Some(number) = number else {
            return Next::Snapshot(Snapshot::new(self, own));
        };
        let behind = self.number.saturating_sub(number);
        if behind == 0 {
            return Next::Wait;
        }
        let oldest = usize::try_from(behind).ok();
        let at = oldest.and_then(|behind| self.changes.len().checked_sub(behind));
        match at.and_then(|at| self.changes.get(at)) {
            Some(change) => Next::Change(number + 1, change.clone()),
            None => Next::Snapshot(Snapshot::new(self, own)),
        }
    }
}

/// A state as events, in pieces.
pub(super) struct Snapshot {
    state: State,
    number: u64,
    /// What the first piece has beside its revisions.
    start: Option<Fields>,
    last: Option<RevisionKey>,
    is_over: bool,
}

impl Snapshot {
    fn new(feed: &Feed, own: &Fields) -> Self {
        let state = feed.state.clone();
        let mut server = state.server.clone();
        server.extend(own.clone());
        let mut start = Fields::new();
        start.insert("server".to_owned(), server.into());
        put(&mut start, "history", state.history(0));
        Self {
            state,
            number: feed.number,
            start: Some(start),
            last: None,
            is_over: false,
        }
    }

    /// The number of the last change that is in it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next event; `None` after the last one.
    pub(super) fn next_piece(&mut self) -> Option<Bytes> {
        if mem::replace(&mut self.is_over, true) {
            return None;
        }
        let (name, mut text) = match self.start.take() {
            Some(start) => ("snapshot", Json::from(start).to_string()),
            None => ("change", "{}".to_owned()),
        };
        text.pop();
        let comma = if text.len() > 1 { "," } else { "" };
        let _ = write!(text, "{comma}\"revisions\":[");
        let from = match &self.last {
            Some(last) => Bound::Excluded(last),
            None => Bound::Unbounded,
        };
        let rest = self
            .state
            .rows
            .range::<RevisionKey, _>((from, Bound::Unbounded));
        let mut last = None;
        for (key, row) in rest {
            if text.len() >= PIECE {
                self.is_over = false;
                break;
            }
            let comma = if last.is_some() { "," } else { "" };
            let _ = write!(text, "{comma}{}", row.shown(key, self.state.open));
            last = Some(key.clone());
        }
        self.last = last;
        text.push_str(if self.is_over {
            "]}"
        } else {
            "],\"more\":true}"
        });
        let number = self.is_over.then_some(self.number);
        Some(event(name, number, &text).into())
    }
}

/// An event of `text/event-stream`. `data` has no line breaks, being JSON.
fn event(name: &str, id: Option<u64>, data: &str) -> String {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests;
