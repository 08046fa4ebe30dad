//! What is known of an instance from the actions.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::super::super::*;
use crate::revision::LaunchSpec;

/// An instance.
pub(super) struct Seen {
    pub(super) key: RevisionKey,
    pub(super) index: u32,
    pub(super) spec: Arc<LaunchSpec>,
    pub(super) is_retired: bool,
    pub(super) state: Option<State>,
    pub(super) since: Duration,
    /// Since when it has taken requests, without pauses in which it was drained.
    pub(super) up_since: Duration,
    /// How long it took to become ready.
    pub(super) start_took: Duration,
    pub(super) is_admitted: bool,
    pub(super) is_frozen: bool,
    pub(super) withdrawal: u64,
    /// Why it is drained.
    pub(super) drained_for: Option<StopCause>,
    pub(super) stopped_at: Option<Duration>,
    pub(super) kills: Vec<Duration>,
}

impl Seen {
    pub(super) fn new(
        key: &RevisionKey,
        index: u32,
        spec: &Arc<LaunchSpec>,
        now: Duration,
    ) -> Self {
        Self {
            key: key.clone(),
            index,
            spec: Arc::clone(spec),
            is_retired: false,
            state: None,
            since: now,
            up_since: now,
            start_took: Duration::ZERO,
            is_admitted: false,
            is_frozen: false,
            withdrawal: 0,
            drained_for: None,
            stopped_at: None,
            kills: Vec::new(),
        }
    }

    /// Whether it is starting or ready.
    pub(super) fn is_up(&self) -> bool {
        matches!(self.state, Some(State::Starting | State::Ready))
    }

    pub(super) fn is_ready(&self) -> bool {
        self.state == Some(State::Ready)
    }

    /// Whether it was started from another specification.
    pub(super) fn is_old(&self, spec: &LaunchSpec) -> bool {
        self.is_retired || self.spec.start != spec.start || self.spec.ready != spec.ready
    }
}
