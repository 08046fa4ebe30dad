//! What the machine wants done.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::state::{Cause, InstanceId, StartCause, State};
use crate::revision::LaunchSpec;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Start an instance. `Event::Ready` or `Event::Ended` follows.
    Start {
        /// Its number.
        id: InstanceId,
        /// Its revision.
        key: RevisionKey,
        /// Its index among the instances of its revision, which are from 0.
        index: u32,
        /// What is started.
        spec: Arc<LaunchSpec>,
        /// Why.
        cause: StartCause,
    },
    /// It takes requests from now on.
    Admit(InstanceId),
    /// It gets no more requests. `Event::Drained` follows with the same number, at once if it has none. The number is
    /// another one each time.
    Withdraw(InstanceId, u64),
    /// Stop its processes by SIGSTOP.
    Freeze(InstanceId),
    /// Continue its processes.
    Thaw(InstanceId),
    /// Ask it whether it is busy. `Event::Busy` follows.
    AskBusy(InstanceId),
    /// Send the stop signal to its process group, or run the stop command. `Event::Ended` follows, if need be by `Kill`.
    Stop(InstanceId),
    /// End it and all that belongs to it by SIGKILL.
    Kill(InstanceId),
    /// Requests of the revision are refused until this time, those that wait too, for this reason.
    Fail {
        /// The revision.
        key: RevisionKey,
        /// Until when.
        until: Duration,
        /// Why, for clients.
        why: String,
    },
    /// Requests of the revision may wait again.
    Recover(RevisionKey),
    /// To be logged and counted: an instance has changed its state, or, where both states are the same, something is
    /// to be said about it.
    Changed {
        /// The instance.
        id: InstanceId,
        /// Its revision.
        key: RevisionKey,
        /// Its index.
        index: u32,
        /// Its state before; `None` when it is new.
        from: Option<State>,
        /// Its state now; `None` when it is gone.
        to: Option<State>,
        /// Why.
        cause: Cause,
        /// How long it was in the state before.
        after: Duration,
        /// More that is known: like how it ended.
        note: String,
    },
}
