//! The supervisor of one instance: a process of its own, between the activator and the instance.
//!
//! It starts the instance, sees its end and that of all that belongs to it, and ends it once the activator is gone, for
//! whatever reason. Its standard input is a channel to the activator, its output is that of the instance.
//! It has no runtime, and starts within milliseconds.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, kill_process_group, wait,
    waitid, waitpid,
};

pub(crate) mod channel;
pub(crate) mod order;
mod plan;
mod stage;
pub(crate) mod user;

use super::proc::children;
use channel::Channel;
use order::{Command, NotStarted, Order, Report, Stage, Status};
use plan::{Action, Event, Plan};

/// The command of the program that makes it a supervisor. It is not for people.
pub(crate) const COMMAND: &str = "supervise";

/// The argument that makes the program what a supervisor starts.
const STAGE: &str = "--stage";

/// The number of the channel's descriptor, or the next free one.
const CONTROL: i32 = 10;

/// The name of supervisors among processes, so that whoever kills the activator by its name leaves them their work.
#[cfg(target_os = "linux")]
const NAME: &std::ffi::CStr = c"supervise";

/// The signals that ask a supervisor to end.
const ENDING: [i32; 3] = [
    signal_hook::consts::SIGTERM,
    signal_hook::consts::SIGINT,
    signal_hook::consts::SIGHUP,
];

/// Does what `activator supervise` is started for.
pub(crate) fn main(mut arguments: impl Iterator<Item = impl AsRef<OsStr>>) -> ExitCode {
    let is_stage = arguments
        .next()
        .is_some_and(|first| first.as_ref() == STAGE);
    if !is_stage {
        close_strays();
    }
    let channel = match control() {
        Ok(channel) => channel,
        Err(error) => {
            eprintln!(
                "activator: {COMMAND} is what the activator starts beside an instance: {error}"
            );
            return ExitCode::from(2);
        }
    };
    if is_stage {
        return stage::run(channel);
    }
    match supervise(channel) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Ends up where the output of the instance does.
            eprintln!("activator: the supervisor cannot go on: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Closes what the activator was given by a careless parent and did not open itself: no program is to inherit it.
fn close_strays() {
    let Ok(open) = std::fs::read_dir("/dev/fd") else {
        return;
    };
    let names = open.flatten().map(|entry| entry.file_name());
    let numbers: Vec<i32> = names
        .filter_map(|name| name.to_str()?.parse().ok())
        .collect();
    for number in numbers.into_iter().filter(|number| *number > 2) {
        // One of them was that of the directory.
        let _ = nix::unistd::close(number);
    }
}

/// The channel on standard input.
fn control() -> io::Result<Channel> {
    // The lowest numbers are for what is passed to the program.
    let input = rustix::io::fcntl_dupfd_cloexec(io::stdin(), CONTROL)?;
    let stream = UnixStream::from(input);
    // It is a socket if it has a peer.
    stream.peer_addr()?;
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(Channel::new(stream))
}

fn supervise(mut control: Channel) -> io::Result<()> {
    // Out of the group and session of the activator: what a terminal sends is for that one.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    {
        let _ = rustix::thread::set_name(NAME);
        let own = rustix::process::getpid();
        rustix::process::set_child_subreaper(Some(own))?;
    }
    let Some(order) = control.receive::<Order>()? else {
        return Ok(());
    };
    let private = order.surroundings.private.clone();
    let ended = Supervisor::try_new(control, order).and_then(Supervisor::run);
    if let Some(private) = private {
        let _ = std::fs::remove_dir_all(private);
    }
    ended
}

/// A supervisor at work.
struct Supervisor {
    control: Channel,
    /// The activator is gone, or has said its last word.
    is_orphaned: bool,
    order: Order,
    /// A socket for the program, until it is passed.
    listener: Option<OwnedFd>,
    process: Option<Process>,
    /// Something has happened to a child.
    child_signals: UnixStream,
    /// Somebody asks for the end.
    end_signals: UnixStream,
    plan: Plan,
    start: Instant,
    is_done: bool,
}

/// The process that was started, until its end was seen.
struct Process {
    pid: Pid,
    /// Closed as soon as the process is the program.
    stage: Option<Channel>,
}

impl Supervisor {
    fn try_new(mut control: Channel, order: Order) -> io::Result<Self> {
        let listener = control.take_passed();
        let mut actions = Vec::new();
        let mut supervisor = Self {
            control,
            is_orphaned: false,
            plan: Plan::new(&order, &mut actions),
            order,
            listener,
            process: None,
            child_signals: signals(&[signal_hook::consts::SIGCHLD])?,
            end_signals: signals(&ENDING)?,
            start: Instant::now(),
            is_done: false,
        };
        supervisor.act(actions);
        Ok(supervisor)
    }

    fn run(mut self) -> io::Result<()> {
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
        let stage = self.process.as_ref().and_then(|it| it.stage.as_ref());
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
        let Some(process) = &mut self.process else {
            return;
        };
        let Some(stage) = &mut process.stage else {
            return;
        };
        let is_open = stage.fill().unwrap_or(false);
        let event = match stage.next::<NotStarted>() {
            Ok(Some(NotStarted { why })) => Event::NotExecuted(why),
            Ok(None) if is_open => return,
            Ok(None) => Event::Executed(process.pid.as_raw_nonzero().get()),
            Err(error) => Event::NotExecuted(error.to_string()),
        };
        process.stage = None;
        self.on(event);
    }

    /// Sees which children have ended.
    fn reap(&mut self) {
        if let Some(pid) = self.process.as_ref().map(|process| process.pid) {
            for child in children().into_iter().filter(|child| *child != pid) {
                let _ = waitpid(Some(child), WaitOptions::NOHANG);
            }
            // It keeps its number, and so its group, until it is waited for at the end.
            let Some(status) = ended(pid) else {
                return;
            };
            while self.process.as_ref().is_some_and(|it| it.stage.is_some()) {
                self.hear_stage();
            }
            let has_left = children().iter().any(|child| *child != pid);
            self.on(Event::Exited(status, has_left));
            // Unless this is another one, which was started just now.
            if self.process.as_ref().is_some_and(|it| it.pid == pid) {
                self.process = None;
            }
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
        while self.process.is_none() && !self.is_done {
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
            Ok(process) => self.process = Some(process),
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
        if let (Some(process), Some(signal)) = (&self.process, signal) {
            let _ = kill_process_group(process.pid, signal);
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

/// How the process has ended, if it has. It stays a child.
fn ended(pid: Pid) -> Option<Status> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = waitid(WaitId::Pid(pid), options).ok()??;
    let killed = status.terminating_signal().map(Status::Killed);
    let exited = status.exit_status().map(Status::Exited);
    exited.or(killed)
}

/// Starts a process, in a group of its own, that is to become a program.
fn spawn(stage: &Stage, listener: Option<OwnedFd>) -> io::Result<Process> {
    let (own, other) = UnixStream::pair()?;
    let child = process::Command::new(program()?)
        .arg0("activator")
        .args([COMMAND, STAGE])
        .env_clear()
        .process_group(0)
        .stdin(Stdio::from(OwnedFd::from(other)))
        .spawn()?;
    let mut channel = Channel::new(own);
    let process = |stage| Process {
        pid: Pid::from_child(&child),
        stage,
    };
    match channel.send_with(stage, listener.as_ref().map(AsFd::as_fd)) {
        Ok(()) => Ok(process(Some(channel))),
        // It has ended: how is seen soon.
        Err(_) => Ok(process(None)),
    }
}

/// This program, even if its file was replaced meanwhile.
///
/// # Errors
/// The system does not tell.
pub fn program() -> io::Result<PathBuf> {
    let own = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && own.exists() {
        Ok(own.to_owned())
    } else {
        std::env::current_exe()
    }
}
