//! Starts, stops and freezes the instances of revisions on this machine.
//!
//! What is to be done is decided by pure machines; one small module beside each does it. What must not live here: how
//! many instances the load needs (see the autoscaler), requests.

pub mod fleet;
mod proc;
pub mod process;
pub mod schedule;
pub(crate) mod supervisor;
