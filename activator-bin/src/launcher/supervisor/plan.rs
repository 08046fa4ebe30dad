//! What a supervisor does when something happens. Pure.

use std::time::Duration;

use super::order::{Command, Order, Report, Status, Task};

mod commands;
mod process;

use commands::Commands;
use process::Process;

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The activator wants this.
    Command(Command),
    /// The activator is gone, or somebody asks the supervisor to end.
    Orphaned,
    /// The process has become the program.
    Executed(i32),
    /// It could not; its end follows.
    NotExecuted(String),
    /// The process has ended. Others are left that belong to it, or not.
    Exited(Status, bool),
    /// Neither the process nor any that belong to it are left.
    Childless,
    /// Nothing but that time has passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start a process that becomes this program. Another one does not run.
    Start(Vec<String>),
    /// Send a signal to the process group, if the process has not ended.
    Signal(i32),
    /// Continue the process group.
    Continue,
    /// Stop the process group by SIGSTOP.
    Suspend,
    /// Send a signal to all children.
    SignalChildren(i32),
    /// Send SIGKILL to the process group and to all children.
    Kill,
    /// Tell the activator.
    Report(Report),
    /// The supervisor ends.
    Quit,
}

/// The state of an instance.
#[derive(Debug)]
pub(super) enum Plan {
    Process(Process),
    Commands(Commands),
}

impl Plan {
    /// What is done first follows.
    pub(super) fn new(order: &Order, to: &mut Vec<Action>) -> Self {
        let timeout = order.stop_timeout;
        match &order.task {
            Task::Process { command } => {
                to.push(Action::Start(command.clone()));
                Self::Process(Process::new(order.stop_signal, timeout))
            }
            Task::Commands { start, stop } => {
                to.push(Action::Start(start.clone()));
                Self::Commands(Commands::new(stop.clone(), timeout))
            }
        }
    }

    pub(super) fn on(&mut self, event: Event, now: Duration, to: &mut Vec<Action>) {
        match self {
            Self::Process(process) => process.on(event, now, to),
            Self::Commands(commands) => commands.on(event, now, to),
        }
    }

    /// When something is to be done although nothing has happened.
    pub(super) fn next(&self) -> Option<Duration> {
        match self {
            Self::Process(process) => process.next(),
            Self::Commands(commands) => commands.next(),
        }
    }
}

#[cfg(test)]
mod tests;
