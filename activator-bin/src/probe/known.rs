//! What the prober knows about one listed backend.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::evidence::Answer;
use super::trust::Trust;
use crate::logging::health_log::HealthLog;

/// What a backend is called in logs: by its address, or the path of its unix socket.
#[derive(Clone, Copy)]
pub(super) struct Called<'a> {
    pub(super) backend: SocketAddr,
    pub(super) socket: Option<&'a Path>,
}

impl fmt::Display for Called<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.socket {
            None => self.backend.fmt(f),
            Some(path) => path.display().fmt(f),
        }
    }
}

/// A backend that is probed or ready.
pub(super) struct Known {
    pub(super) state: State,
    pub(super) record: Record,
}

/// What is remembered about a backend as long as it is listed.
#[derive(Clone, Default)]
pub(super) struct Record {
    pub(super) trust: Trust,
    /// Shared by the prober and the task that probes the backend.
    pub(super) seen: Arc<Mutex<Seen>>,
}

/// What was seen of a backend.
#[derive(Default)]
pub(super) struct Seen {
    /// Which of its failures were logged.
    pub(super) log: HealthLog,
    /// What its last probe brought; `None` before there was one.
    pub(super) answer: Option<Answer>,
}

/// Why a backend is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It is new.
    New,
    /// Kubernetes no longer calls it ready.
    Demoted,
    /// It failed requests.
    SetAside,
}

pub(super) enum State {
    Ready {
        since: Instant,
    },
    Probing {
        task: AbortHandle,
        reason: Reason,
        /// When its first probe is due.
        from: Instant,
        /// Since when it has not been ready.
        since: Instant,
    },
}

impl State {
    pub(super) fn stop_probing(&self) {
        if let Self::Probing { task, .. } = self {
            task.abort();
        }
    }
}
