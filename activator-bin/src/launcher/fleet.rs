//! All instances of all revisions, as a pure machine: what happened and the time go in, what is to be done comes out.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use crate::revision::LaunchSpec;

/// An instance, by a number that is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId(pub u64);

/// The state of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not ready yet.
    Starting,
    /// It takes requests.
    Ready,
    /// Its processes are stopped by SIGSTOP.
    Frozen,
    /// It gets no more requests, and has some that have not ended.
    Draining,
    /// It has been asked to end.
    Stopping,
}

/// Why an instance is started, or woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartCause {
    /// A request came while there was none.
    FirstRequest,
    /// The load needs more.
    Load,
    /// `min_scale` needs more.
    MinScale,
    /// The schedule needs more.
    Schedule,
    /// The admin port asked for it.
    Admin,
    /// The one before ended by itself.
    Crash,
    /// What is started has changed.
    Changed,
}

/// Why an instance is stopped, or frozen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopCause {
    /// There was no request for a while.
    Idle,
    /// The load needs fewer.
    Load,
    /// Another revision of its group needs its place.
    Evicted,
    /// The admin port asked for it.
    Admin,
    /// It ended by itself.
    Crash,
    /// It was not ready in time, or could not be started.
    StartFailed,
    /// What is started has changed.
    Changed,
    /// Its revision was removed.
    Removed,
    /// The activator stops.
    Shutdown,
}

/// How an instance ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// What is known, for logs and clients: like `exited with code 1`.
    pub how: String,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A revision has instances that are started here, or has changed.
    Specified(RevisionKey, Arc<LaunchSpec>),
    /// It is no longer there, or its instances are no longer started here.
    Removed(RevisionKey),
    /// The autoscaler wants this many instances for the load.
    Wanted(RevisionKey, u32),
    /// `min_scale` is this now, by its section or its schedule.
    MinScale(RevisionKey, u32, StartCause),
    /// A request waits, and no instance is ready.
    Demand(RevisionKey),
    /// It has requests, in flight or queued, or has none any more.
    InUse(RevisionKey, bool),
    /// An instance is ready.
    Ready(InstanceId),
    /// An instance has ended, with all that belongs to it, or could not be started.
    Ended(InstanceId, Ended),
    /// An instance that was withdrawn has no request left.
    Drained(InstanceId),
    /// What the busy check said.
    Busy(InstanceId, bool),
    /// The admin port wants it awake, for this long at least.
    Wake(RevisionKey, Duration),
    /// The admin port wants it stopped, once its requests have ended.
    Sleep(RevisionKey),
    /// Everything is to stop; nothing starts from now on.
    Shutdown,
    /// Nothing but that time has passed.
    Tick,
}

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
    /// It gets no more requests. `Event::Drained` follows, at once if it has none.
    Withdraw(InstanceId),
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
    /// To be logged and counted: an instance has changed its state.
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

/// Why an instance has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was started or woken.
    Start(StartCause),
    /// It was stopped or frozen.
    Stop(StopCause),
}
