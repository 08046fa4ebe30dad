//! The activator's end of a supervisor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, pipe};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::launcher::supervisor::channel::{Channel, line};
use crate::launcher::supervisor::order::{self, Order, Report};
use crate::launcher::supervisor::{self};

/// How long a supervisor may take to accept its order, and to end after its last report.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a supervisor may take to report the end after it was told to kill. It gives up by itself before.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(15);

/// The longest report, in bytes.
const MAX_REPORT: usize = 64 * 1024;

/// Starts supervisors.
#[derive(Debug)]
pub(super) struct Supervisors {
    program: PathBuf,
}

/// A supervisor that was started.
pub(super) struct Supervised {
    process: Child,
    control: StdStream,
    output: OwnedFd,
}

impl Supervisors {
    pub(super) fn try_new(program: PathBuf) -> io::Result<Self> {
        program.metadata()?;
        Ok(Self { program })
    }

    /// Starts one. `name` is what `ps` shows. Blocks until it has its order.
    pub(super) fn start(
        &self,
        name: &str,
        order: &Order,
        listener: Option<OwnedFd>,
    ) -> io::Result<Supervised> {
        let (own, other) = StdStream::pair()?;
        // One pipe for both, so that the order of lines is kept.
        let (output, writer) = io::pipe()?;
        let mut command = Command::new(&self.program);
        command
            .arg0("activator")
            .args([supervisor::COMMAND, name])
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(other)))
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let process = command.spawn()?;
        // It holds the other ends of the channel and the pipe, as if they were its own.
        drop(command);
        let mut supervised = Supervised {
            process,
            control: own.try_clone()?,
            output: output.into(),
        };
        own.set_write_timeout(Some(PATIENCE))?;
        let mut channel = Channel::new(own);
        let sent = channel.send_with(order, listener.as_ref().map(AsFd::as_fd));
        if let Err(error) = sent {
            let _ = supervised.process.kill();
            let _ = supervised.process.wait();
            return Err(error);
        }
        supervised.control.set_nonblocking(true)?;
        Ok(supervised)
    }
}

impl Supervised {
    /// Its parts, for a runtime. If that fails, the instance ends.
    pub(super) fn into_parts(self) -> io::Result<(Process, Commands, Reports, pipe::Receiver)> {
        let mut process = self.process;
        let parts = UnixStream::from_std(self.control)
            .and_then(|control| Ok((control, pipe::Receiver::from_owned_fd(self.output)?)));
        let (control, output) = match parts {
            Ok(parts) => parts,
            Err(error) => {
                spawn_blocking(move || process.wait());
                return Err(error);
            }
        };
        let (read, write) = control.into_split();
        let reports = Reports {
            read,
            bytes: Vec::new(),
        };
        Ok((Process(process), Commands(write), reports, output))
    }
}

/// Runs a program beside a supervisor, for so long at most; returns its exit code. Its output is dropped.
///
/// # Errors
/// Says why there is no exit code.
pub(super) async fn run(
    supervisors: &Arc<Supervisors>,
    name: &str,
    order: Order,
    patience: Duration,
) -> Result<i32, String> {
    let (supervisors, name) = (Arc::clone(supervisors), name.to_owned());
    let started = spawn_blocking(move || supervisors.start(&name, &order, None)).await;
    let parts = started
        .map_err(io::Error::other)
        .and_then(|started| started?.into_parts());
    let (process, mut commands, mut reports, mut output) =
        parts.map_err(|error| format!("cannot start its supervisor: {error}"))?;
    let read = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    });
    let ended = async {
        loop {
            match reports.next().await {
                Some(Report::Started { .. }) => {}
                Some(Report::Ended { how, code }) => return code.ok_or(how),
                None => return Err("its supervisor ended early".to_owned()),
            }
        }
    };
    let mut ended = Box::pin(ended);
    let code = match timeout(patience, &mut ended).await {
        Ok(code) => code,
        Err(_) => {
            commands.send(order::Command::Kill).await;
            let _ = timeout(KILL_PATIENCE, ended).await;
            Err(format!(
                "did not end within {}",
                humantime::format_duration(patience)
            ))
        }
    };
    process.end().await;
    read.abort();
    code
}

/// The process of a supervisor.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn id(&self) -> Pid {
        Pid::from_child(&self.0)
    }

    /// Waits for its end, for a bounded time, then ends it. What it reports is read before.
    pub(super) async fn end(self) -> Option<ExitStatus> {
        let id = self.id();
        let mut process = self.0;
        let mut ended = spawn_blocking(move || process.wait());
        if let Ok(ended) = timeout(PATIENCE, &mut ended).await {
            return ended.ok()?.ok();
        }
        // It is a child until `wait` has returned, so this is still its number.
        let _ = kill_process(id, Signal::KILL);
        ended.await.ok()?.ok()
    }
}

/// The way down. Once it is dropped, the supervisor ends its instance.
pub(super) struct Commands(OwnedWriteHalf);

impl Commands {
    pub(super) async fn send(&mut self, command: order::Command) {
        let Ok(line) = line(&command) else {
            return;
        };
        // If it cannot be sent, the supervisor has ended or never reads: both are seen by who waits for its reports.
        let _ = timeout(PATIENCE, self.0.write_all(&line)).await;
    }
}

/// The way up.
pub(super) struct Reports {
    read: OwnedReadHalf,
    bytes: Vec<u8>,
}

impl Reports {
    /// The next report; `None` once the supervisor has ended, or says what is none. Can be dropped at any time.
    pub(super) async fn next(&mut self) -> Option<Report> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.bytes) {
                let report = serde_json::from_slice(&self.bytes[..end]).ok()?;
                self.bytes.drain(..=end);
                return Some(report);
            }
            if self.bytes.len() > MAX_REPORT {
                return None;
            }
            if matches!(self.read.read_buf(&mut self.bytes).await, Err(_) | Ok(0)) {
                return None;
            }
        }
    }
}
