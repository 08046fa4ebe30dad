//! An instance that is a process, with all that it starts.

use std::time::Duration;

use super::{Action, Command, Event, Report, Status};

/// How often SIGKILL is repeated: children of children are found once their parents are gone.
const AGAIN: Duration = Duration::from_millis(10);

/// How long processes may take to end after SIGKILL. Some wait for a disk that never responds.
const GIVE_UP: Duration = Duration::from_secs(10);

/// The state of such an instance.
#[derive(Debug)]
pub(in super::super) struct Process {
    stop_signal: i32,
    stop_timeout: Duration,
    /// The process itself has not ended.
    is_running: bool,
    is_frozen: bool,
    /// It has been asked to end.
    is_stopping: bool,
    /// When it is killed.
    deadline: Option<Duration>,
    killing: Option<Killing>,
    /// How it ended, as far as known.
    how: Option<String>,
    code: Option<i32>,
    is_done: bool,
}

#[derive(Debug)]
struct Killing {
    since: Duration,
    again: Duration,
}

impl Process {
    pub(super) fn new(stop_signal: i32, stop_timeout: Duration) -> Self {
        Self {
            stop_signal,
            stop_timeout,
            is_running: true,
            is_frozen: false,
            is_stopping: false,
            deadline: None,
            killing: None,
            how: None,
            code: None,
            is_done: false,
        }
    }

    pub(super) fn on(&mut self, event: Event, now: Duration, to: &mut Vec<Action>) {
        if self.is_done {
            return;
        }
        match event {
            Event::Command(Command::Stop) => self.stop(to),
            Event::Command(Command::Kill) => self.kill(now, to),
            Event::Command(Command::Freeze) if !self.is_ending() => {
                self.is_frozen = true;
                to.push(Action::Suspend);
            }
            Event::Command(Command::Thaw) if self.is_frozen => {
                self.is_frozen = false;
                to.push(Action::Continue);
            }
            Event::Command(Command::Freeze | Command::Thaw) => {}
            Event::Orphaned => {
                self.stop(to);
                self.deadline.get_or_insert(now + self.stop_timeout);
            }
            Event::Executed(pid) => to.push(Action::Report(Report::Started { pid: Some(pid) })),
            Event::NotExecuted(why) => self.how = Some(why),
            Event::Exited(status, has_left) => self.exited(status, has_left, now, to),
            Event::Childless if !self.is_running => self.end(None, to),
            Event::Childless | Event::Tick => {}
        }
        self.on_time(now, to);
    }

    pub(super) fn next(&self) -> Option<Duration> {
        match &self.killing {
            _ if self.is_done => None,
            Some(killing) => Some(killing.again),
            None => self.deadline,
        }
    }

    fn is_ending(&self) -> bool {
        self.is_stopping || self.killing.is_some() || !self.is_running
    }

    fn stop(&mut self, to: &mut Vec<Action>) {
        if self.is_ending() {
            return;
        }
        self.is_stopping = true;
        to.push(Action::Signal(self.stop_signal));
        if self.is_frozen {
            self.is_frozen = false;
            to.push(Action::Continue);
        }
    }

    fn kill(&mut self, now: Duration, to: &mut Vec<Action>) {
        if self.killing.is_none() {
            to.push(Action::Kill);
            self.killing = Some(Killing {
                since: now,
                again: now + AGAIN,
            });
        }
    }

    fn exited(&mut self, status: Status, has_left: bool, now: Duration, to: &mut Vec<Action>) {
        self.is_running = false;
        if self.how.is_none()
            && let Status::Exited(code) = status
        {
            self.code = Some(code);
        }
        let is_asked = self.is_stopping || self.killing.is_some();
        self.how.get_or_insert_with(|| {
            if has_left && !is_asked && status.is_success() {
                format!("{status} and left processes behind: it must stay in the foreground")
            } else {
                status.to_string()
            }
        });
        if !is_asked {
            self.kill(now, to);
        } else if self.killing.is_none() {
            // They have had the signal as members of the group, or never. They may take as long as it could have.
            to.push(Action::SignalChildren(self.stop_signal));
        }
    }

    fn on_time(&mut self, now: Duration, to: &mut Vec<Action>) {
        if self.is_done {
            return;
        }
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.kill(now, to);
        }
        let Some(killing) = &mut self.killing else {
            return;
        };
        if now >= killing.since + GIVE_UP {
            self.end(Some("; some of its processes do not end"), to);
        } else if now >= killing.again {
            killing.again = now + AGAIN;
            to.push(Action::Kill);
        }
    }

    fn end(&mut self, but: Option<&str>, to: &mut Vec<Action>) {
        let how = self.how.take();
        let mut how = how.unwrap_or_else(|| "was sent SIGKILL".to_owned());
        how.push_str(but.unwrap_or_default());
        let code = self.code;
        self.is_done = true;
        to.extend([Action::Report(Report::Ended { how, code }), Action::Quit]);
    }
}
