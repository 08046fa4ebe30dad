//! What the machine is told.

use std::sync::Arc;
use std::time::Duration;

use reporter_core::RevisionKey;

use super::state::{InstanceId, StartCause};
use crate::revision::LaunchSpec;

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
    /// The autoscaler wants this many instances for the load. By itself this starts nothing: that needs a request, or
    /// an instance that is there.
    Wanted(RevisionKey, u32),
    /// `min_scale` is this now, by its section or its schedule. Each `Specified` sets it to that of the specification.
    MinScale(RevisionKey, u32, StartCause),
    /// A request waits, and no instance is ready. May be repeated.
    Demand(RevisionKey),
    /// It has requests, in flight or queued, or has none any more.
    InUse(RevisionKey, bool),
    /// An instance is ready.
    Ready(InstanceId),
    /// An instance has ended, with all that belongs to it, or could not be started.
    Ended(InstanceId, Ended),
    /// An instance has had no request left since it was withdrawn for the time that the number says: that of the
    /// `Withdraw`. One that an `Admit` has overtaken is ignored.
    Drained(InstanceId, u64),
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
