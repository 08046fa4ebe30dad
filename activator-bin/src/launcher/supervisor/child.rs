//! The process that is to become the program of an instance, from its start to its end.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{self, Stdio};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::channel::Channel;
use super::order::{Stage, Status};
use super::{COMMAND, STAGE, program};

/// The process that was started, until its end was seen.
pub(super) struct Child {
    pub(super) pid: Pid,
    /// Closed as soon as the process is the program.
    pub(super) stage: Option<Channel>,
}

/// How the process has ended, if it has. It stays a child.
pub(super) fn ended(pid: Pid) -> Option<Status> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(pid), options).ok()??;
    let killed = status.terminating_signal().map(Status::Killed);
    let exited = status.exit_status().map(Status::Exited);
    exited.or(killed)
}

/// Starts a process, in a group of its own, that is to become a program.
pub(super) fn spawn(stage: &Stage, listener: Option<OwnedFd>) -> io::Result<Child> {
    let (own, other) = UnixStream::pair()?;
    let process = process::Command::new(program()?)
        .arg0("activator")
        .args([COMMAND, STAGE])
        .env_clear()
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(other)))
        .spawn()?;
    let mut channel = Channel::new(own);
    let started = |stage| Child {
        pid: Pid::from_child(&process),
        stage,
    };
    match channel.send_with(stage, listener.as_ref().map(AsFd::as_fd)) {
        Ok(()) => Ok(started(Some(channel))),
        // It has ended: how is seen soon.
        Err(_) => Ok(started(None)),
    }
}
