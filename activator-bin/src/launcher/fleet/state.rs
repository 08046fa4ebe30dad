//! What an instance is doing, and why.

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

/// Why an instance has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was started or woken.
    Start(StartCause),
    /// It was stopped or frozen.
    Stop(StopCause),
}
