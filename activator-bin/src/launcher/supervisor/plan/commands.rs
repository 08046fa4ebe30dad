//! An instance that is started and stopped by commands. What these leave behind is not ended here.

use std::time::Duration;

use super::{Action, Command, Event, Report};

/// SIGKILL.
const KILL: i32 = 9;

/// The state of such an instance.
#[derive(Debug)]
pub(in super::super) struct Commands {
    stop: Vec<String>,
    stop_timeout: Duration,
    phase: Phase,
    /// Why the command that runs was not, or will not have been, a success.
    why: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// The start command runs; it may have been killed, since the instance is to stop.
    Starting {
        is_killed: bool,
    },
    /// The start command has succeeded.
    Up,
    /// The stop command runs.
    Stopping {
        deadline: Duration,
        is_killed: bool,
    },
    Done,
}

impl Commands {
    pub(super) fn new(stop: Vec<String>, stop_timeout: Duration) -> Self {
        Self {
            stop,
            stop_timeout,
            phase: Phase::Starting { is_killed: false },
            why: None,
        }
    }

    pub(super) fn on(&mut self, event: Event, now: Duration, to: &mut Vec<Action>) {
        match event {
            Event::Command(Command::Stop | Command::Kill) | Event::Orphaned => {
                let is_kill = event == Event::Command(Command::Kill);
                self.stop(is_kill, now, to);
            }
            Event::NotExecuted(why) => self.why = Some(why),
            Event::Exited(status, _) => {
                let failed = (!status.is_success()).then(|| status.to_string());
                let why = self.why.take().or(failed);
                self.exited(why, now, to);
            }
            Event::Command(Command::Freeze | Command::Thaw)
            | Event::Executed(_)
            | Event::Childless
            | Event::Tick => {}
        }
        if let Phase::Stopping { deadline, .. } = self.phase
            && deadline <= now
        {
            self.stop(true, now, to);
        }
    }

    pub(super) fn next(&self) -> Option<Duration> {
        match self.phase {
            Phase::Stopping {
                deadline,
                is_killed: false,
            } => Some(deadline),
            _ => None,
        }
    }

    fn stop(&mut self, is_kill: bool, now: Duration, to: &mut Vec<Action>) {
        match &mut self.phase {
            Phase::Starting { is_killed } if !*is_killed => {
                *is_killed = true;
                to.push(Action::Signal(KILL));
            }
            Phase::Up => self.run_stop(now, to),
            Phase::Stopping { is_killed, .. } if is_kill && !*is_killed => {
                *is_killed = true;
                let why = "did not end in time and was killed";
                self.why.get_or_insert_with(|| why.to_owned());
                to.push(Action::Signal(KILL));
            }
            Phase::Starting { .. } | Phase::Stopping { .. } | Phase::Done => {}
        }
    }

    fn exited(&mut self, why: Option<String>, now: Duration, to: &mut Vec<Action>) {
        match (&self.phase, why) {
            // What it has begun is undone.
            (Phase::Starting { is_killed: true }, _) => self.run_stop(now, to),
            (Phase::Starting { .. }, None) => {
                self.phase = Phase::Up;
                to.push(Action::Report(Report::Started { pid: None }));
            }
            (Phase::Starting { .. }, Some(why)) => self.end(format!("start_command: {why}"), to),
            (Phase::Stopping { .. }, None) => self.end("was stopped".to_owned(), to),
            (Phase::Stopping { .. }, Some(why)) => self.end(format!("stop_command: {why}"), to),
            (Phase::Up | Phase::Done, _) => {}
        }
    }

    fn run_stop(&mut self, now: Duration, to: &mut Vec<Action>) {
        if self.stop.is_empty() {
            self.end("has no stop_command".to_owned(), to);
            return;
        }
        self.phase = Phase::Stopping {
            deadline: now + self.stop_timeout,
            is_killed: false,
        };
        to.push(Action::Start(self.stop.clone()));
    }

    fn end(&mut self, how: String, to: &mut Vec<Action>) {
        self.phase = Phase::Done;
        to.extend([
            Action::Report(Report::Ended { how, code: None }),
            Action::Quit,
        ]);
    }
}
