//! What is shown of the link to an autoscaler.

use std::time::SystemTime;

use parking_lot::Mutex;
use serde_json::{Value as Json, json};

/// The state of a link, for whoever looks.
pub(crate) struct LinkStatus {
    peer: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_up: bool,
    pending_keys: usize,
    last_confirmed: Option<SystemTime>,
    /// Why it is not up.
    failure: Option<String>,
}

impl LinkStatus {
    /// One that is not up yet.
    pub(crate) fn new(peer: &str) -> Self {
        Self {
            peer: peer.to_owned(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn up(&self) {
        let mut state = self.state.lock();
        state.is_up = true;
        state.failure = None;
    }

    /// It is not up, for this reason if there is one.
    pub(crate) fn down(&self, why: Option<String>) {
        let mut state = self.state.lock();
        state.is_up = false;
        state.failure = why;
    }

    pub(crate) fn confirmed(&self) {
        self.state.lock().last_confirmed = Some(SystemTime::now());
    }

    pub(crate) fn pending_keys(&self, keys: usize) {
        self.state.lock().pending_keys = keys;
    }

    pub(super) fn to_json(&self) -> Json {
        let state = self.state.lock();
        let confirmed = state.last_confirmed.map(humantime::format_rfc3339_seconds);
        json!({
            "peer": self.peer,
            "up": state.is_up,
            "pending_keys": state.pending_keys,
            "last_confirmed": confirmed.map(|it| it.to_string()),
            "failure": state.failure,
        })
    }
}
