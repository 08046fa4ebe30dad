//! A supervisor at work: waits for what happens, and does what its plan says.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Signal, WaitOptions, kill_process, kill_process_group, wait, waitpid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1};

use super::channel::Channel;
use super::child::{Child, ended, spawn};
use super::order::{Command, NotStarted, Order, Report, Stage, Status};
use super::plan::{Action, Event, Plan};
use crate::launcher::proc::children;

/// The signals that ask a supervisor to end.
const ENDING: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

/// A supervisor at work.
pub(super) struct Work {
    control: Channel,
    /// The activator is gone, or has said its last word.
    is_orphaned: bool,
    order: Order,
    /// A socket for the program, until it is passed.
    listener: Option<OwnedFd>,
    child: Option<Child>,
    /// Something has happened to a child.
    child_signals: UnixStream,
    /// Somebody asks for the end.
    end_signals: UnixStream,
    plan: Plan,
    start: Instant,
    is_done: bool,
}

impl Work {
    pub(super) fn try_new(mut control: Channel, order: Order) -> io::Result<Self> {
        // Meant for the activator, if all processes of its name or unit get it: it does not end this one.
        signal_hook::flag::register(SIGUSR1, Arc::default())?;
        let listener = control.take_passed();
        let mut actions = Vec::new();
        let mut work = Self {
            control,
            is_orphaned: false,
            plan: Plan::new(&order, &mut actions),
            order,
            listener,
            child: None,
            child_signals: signals(&[SIGCHLD])?,
            end_signals: signals(&ENDING)?,
            start: Instant::now(),
            is_done: false,
        };
        work.act(actions);
        Ok(work)
    }

    pub(super) fn run(mut self) -> io::Result<()> {
        while !self.is_done {
            let ready = self.wait()?;
            if ready.control {
                self.obey();
            }
            if ready.end_signals {
                clear(&self.end_signals);
                self.on(Event::Orphaned);
            }
            if ready.stage {
                self.hear_stage();
            }
            if ready.child_signals {
                clear(&self.child_signals);
            }
            self.reap();
            self.on(Event::Tick);
        }
        Ok(())
    }

    /// Waits until something happens.
    fn wait(&self) -> io::Result<Ready> {
        let stage = self.child.as_ref().and_then(|it| it.stage.as_ref());
        let sources = [
            Some(self.child_signals.as_fd()),
            Some(self.end_signals.as_fd()),
            (!self.is_orphaned).then(|| self.control.as_fd()),
            stage.map(AsFd::as_fd),
        ];
        let present = sources.iter().flatten();
        let mut polled: Vec<_> = present
            .map(|source| PollFd::from_borrowed_fd(*source, PollFlags::IN))
            .collect();
        let left = self.plan.next().map(|at| {
            let left = at.saturating_sub(self.start.elapsed());
            // Never a little too early.
            left + Duration::from_millis(1)
        });
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut polled, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut polled = polled.iter();
        let mut is_ready = sources.iter().map(|source| {
            let polled = source.and_then(|_| polled.next());
            polled.is_some_and(|polled| !polled.revents().is_empty())
        });
        let mut next = || is_ready.next().unwrap_or_default();
        Ok(Ready {
            child_signals: next(),
            end_signals: next(),
            control: next(),
            stage: next(),
        })
    }

    /// Reads what the activator wants.
    fn obey(&mut self) {
        let is_open = self.control.fill().unwrap_or(false);
        let mut commands = Vec::new();
        let is_valid = loop {
            match self.control.next::<Command>() {
                Ok(Some(command)) => commands.push(command),
                Ok(None) => break true,
                Err(_) => break false,
            }
        };
        for command in commands {
            self.on(Event::Command(command));
        }
        if !is_open || !is_valid {
            self.is_orphaned = true;
            self.on(Event::Orphaned);
        }
    }

    /// Reads what the process says before it becomes the program.
    fn hear_stage(&mut self) {
        let Some(child) = &mut self.child else {
            return;
        };
        let Some(stage) = &mut child.stage else {
            return;
        };
        let is_open = stage.fill().unwrap_or(false);
        let event = match stage.next::<NotStarted>() {
            Ok(Some(NotStarted { why })) => Event::NotExecuted(why),
            Ok(None) if is_open => return,
            Ok(None) => Event::Executed(child.pid.as_raw_nonzero().get()),
            Err(error) => Event::NotExecuted(error.to_string()),
        };
        child.stage = None;
        self.on(event);
    }

    /// Sees which children have ended.
    fn reap(&mut self) {
        if let Some(pid) = self.child.as_ref().map(|child| child.pid) {
            for child in children().into_iter().filter(|child| *child != pid) {
                let _ = waitpid(Some(child), WaitOptions::NOHANG);
            }
            // It keeps its number, and so its group, until it is waited for at the end.
            let Some(status) = ended(pid) else {
                return;
            };
            while self.child.as_ref().is_some_and(|it| it.stage.is_some()) {
                self.hear_stage();
            }
            let mut others = children().into_iter().filter(|child| *child != pid);
            // One that has ended meanwhile is not left.
            let is_left = |child| matches!(waitpid(Some(child), WaitOptions::NOHANG), Ok(None));
            let has_left = others.any(is_left);
            self.on(Event::Exited(status, has_left));
            // Unless this is another one, which was started just now.
            if self.child.as_ref().is_some_and(|it| it.pid == pid) {
                self.child = None;
            }
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        while self.child.is_none() && !self.is_done {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) | Err(Errno::INTR) => return,
                Err(_) => {
                    self.on(Event::Childless);
                    return;
                }
            }
        }
    }

    fn on(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.plan.on(event, self.start.elapsed(), &mut actions);
        self.act(actions);
    }

    fn act(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Start(command) => self.start(command),
                Action::Signal(signal) => self.signal(Signal::from_named_raw(signal)),
                Action::Continue => self.signal(Some(Signal::CONT)),
                Action::Suspend => self.signal(Some(Signal::STOP)),
                Action::SignalChildren(signal) => {
                    self.signal_children(Signal::from_named_raw(signal));
                }
                Action::Kill => {
                    self.signal(Some(Signal::KILL));
                    self.signal_children(Some(Signal::KILL));
                }
                Action::Report(report) => self.report(&report),
                Action::Quit => self.is_done = true,
            }
        }
    }

    fn start(&mut self, command: Vec<String>) {
        let stage = Stage {
            command,
            surroundings: self.order.surroundings.clone(),
            supervisor: rustix::process::getpid().as_raw_nonzero().get(),
        };
        match spawn(&stage, self.listener.take()) {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                self.on(Event::NotExecuted(format!(
                    "cannot start a process: {error}"
                )));
                self.on(Event::Exited(Status::Exited(1), false));
                self.on(Event::Childless);
            }
        }
    }

    /// Sends a signal to the group of the process, which is there as long as the process was not waited for.
    fn signal(&self, signal: Option<Signal>) {
        if let (Some(child), Some(signal)) = (&self.child, signal) {
            let _ = kill_process_group(child.pid, signal);
        }
    }

    /// Sends a signal to all children: their numbers are theirs until they are waited for.
    fn signal_children(&self, signal: Option<Signal>) {
        if let Some(signal) = signal {
            for child in children() {
                let _ = kill_process(child, signal);
            }
        }
    }

    fn report(&mut self, report: &Report) {
        // If the activator is gone, there is nobody to tell.
        let _ = self.control.send(report);
    }
}

/// Which sources have something to read.
struct Ready {
    child_signals: bool,
    end_signals: bool,
    control: bool,
    stage: bool,
}

/// A stream with a byte for each of these signals.
fn signals(signals: &[i32]) -> io::Result<UnixStream> {
    let (reader, writer) = UnixStream::pair()?;
    reader.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, writer.try_clone()?)?;
    }
    Ok(reader)
}

fn clear(mut signals: &UnixStream) {
    let mut bytes = [0; 64];
    while let Ok(1..) = signals.read(&mut bytes) {}
}
