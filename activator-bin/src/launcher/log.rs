//! One line for each instance that was started, stopped, frozen or woken: why, and how long it took.

use std::time::Duration;

use reporter_core::RevisionKey;

use super::fleet::{Cause, State, StopCause};

/// A change of an instance.
pub(super) struct Change<'a> {
    pub(super) key: &'a RevisionKey,
    pub(super) index: u32,
    pub(super) from: Option<State>,
    pub(super) to: Option<State>,
    pub(super) cause: Cause,
    /// How long the state before lasted.
    pub(super) after: Duration,
    /// More that is known.
    pub(super) note: &'a str,
}

impl Change<'_> {
    pub(super) fn log(&self) {
        let revision = format_args!("{}", self.key);
        let (index, cause, note) = (self.index, self.cause.as_str(), self.note);
        // In whole milliseconds, which is all that anybody wants to know.
        let took = format!("{:?}", Duration::from_millis(self.after.as_millis() as u64));
        match (self.from, self.to) {
            (Some(State::Starting), Some(State::Ready)) => {
                tracing::info!(%revision, index, cause, took, "started");
            }
            (Some(State::Frozen), Some(State::Ready)) => {
                tracing::info!(%revision, index, cause, frozen_for = took, "woken");
            }
            (_, Some(State::Frozen)) => tracing::info!(%revision, index, cause, "frozen"),
            (_, None) if self.is_failure() => {
                tracing::warn!(%revision, index, cause, lasted = took, "ended: {note}");
            }
            (_, None) => tracing::info!(%revision, index, cause, took, "stopped: {note}"),
            (from, to) if from == to => {
                tracing::warn!(%revision, index, cause, lasted = took, "{note}");
            }
            (_, Some(to)) => {
                tracing::debug!(%revision, index, cause, state = ?to, "{note}");
            }
        }
    }

    fn is_failure(&self) -> bool {
        let failures = [StopCause::Crash, StopCause::StartFailed].map(Cause::Stop);
        failures.contains(&self.cause)
    }
}

impl Cause {
    fn as_str(self) -> &'static str {
        match self {
            Self::Start(cause) => cause.as_str(),
            Self::Stop(cause) => cause.as_str(),
        }
    }
}
