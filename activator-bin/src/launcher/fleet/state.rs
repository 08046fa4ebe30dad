//! What an instance is doing, and why.

pub use reporter_metrics::{StartCause, StopCause};

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

/// Why an instance has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was started or woken.
    Start(StartCause),
    /// It was stopped or frozen.
    Stop(StopCause),
}

/// How an idle instance ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopKind {
    /// Its processes are stopped by SIGSTOP.
    Freeze,
    /// It is asked to end.
    Stop,
}

impl StopKind {
    /// As operators see it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Freeze => "freeze",
            Self::Stop => "stop",
        }
    }
}
