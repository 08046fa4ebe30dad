//! Other programs, which run during a scene and end with it.

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A running program. It is killed when this is dropped.
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts `command`. A missing program is an error that names its package.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn().with_context(|| {
            format!("cannot start {name}; the scenes need Debian's packages chromium, nginx-light, wrk, hey, nghttp2-client, nodejs, curl, iproute2, openssl, prometheus, python3-venv, skopeo and systemd, and Go")
        })?;
        Ok(Self { name, child })
    }

    /// The lines of its standard output, which must be piped, each with its time.
    pub(crate) fn lines(&mut self) -> Result<Receiver<(Instant, String)>> {
        let stdout = self.child.stdout.take().context("stdout is piped")?;
        Ok(lines(stdout))
    }

    /// The same of its standard error.
    pub(crate) fn log(&mut self) -> Result<Receiver<(Instant, String)>> {
        let stderr = self.child.stderr.take().context("stderr is piped")?;
        Ok(lines(stderr))
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill")
            .args(["-s", signal, &self.id().to_string()])
            .status()?;
        ensure!(status.success(), "cannot send {signal} to {}", self.name);
        Ok(())
    }

    /// Its status, if it has ended.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Waits at most `limit` for its end.
    pub(crate) fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        let what = format!("{name} does not end");
        wait_until(&what, limit, || Ok(self.child.try_wait()?))
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        resident_kib(self.id())
    }

    /// Peak resident memory so far, in KiB.
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        self.memory_kib("VmHWM:")
    }

    /// CPU time used so far, user and system, in seconds.
    pub(crate) fn cpu(&self) -> Result<f64> {
        Ok(Stat::of(self.id())?.cpu)
    }

    fn memory_kib(&self, field: &str) -> Result<u64> {
        memory_kib(self.id(), field)
    }
}

/// Resident memory of any process, in KiB.
pub(crate) fn resident_kib(id: u32) -> Result<u64> {
    memory_kib(id, "VmRSS:")
}

fn memory_kib(id: u32, field: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB"));
    Ok(kib
        .with_context(|| format!("no {field} in /proc/PID/status"))?
        .trim()
        .parse()?)
}

fn lines(from: impl Read + Send + 'static) -> Receiver<(Instant, String)> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if sender.send((Instant::now(), line)).is_err() {
                break;
            }
        }
    });
    lines
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Clock ticks per second in `/proc`, the same on every architecture of Linux.
const TICKS: f64 = 100.0;

/// What `/proc/PID/stat` says of a process.
pub(crate) struct Stat {
    /// The program's name, shortened to 15 bytes.
    pub(crate) program: String,
    /// CPU time used so far, user and system, in seconds.
    pub(crate) cpu: f64,
}

impl Stat {
    pub(crate) fn of(process: u32) -> Result<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        let name = stat
            .split_once(" (")
            .and_then(|(_, rest)| rest.rsplit_once(") "));
        let (program, fields) = name.context("no name in /proc/PID/stat")?;
        // The state is the third field of the whole line; these are the 14th and the 15th.
        let ticks = fields.split(' ').skip(11).take(2);
        let cpu = ticks
            .map(|ticks| Ok(ticks.parse::<f64>()? / TICKS))
            .sum::<Result<f64>>()?;
        Ok(Self {
            program: program.to_owned(),
            cpu,
        })
    }
}

/// A directory that is removed when this is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(name: &str) -> Result<Self> {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let unique = format!("activator-e2e-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Polls until `Some`, for at most `limit`.
pub(crate) fn wait_until<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("after {limit:?} still: {what}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a program listens at `address`.
pub(crate) fn wait_for_listener(address: SocketAddr) -> Result<()> {
    let what = format!("nothing listens at {address}");
    wait_until(&what, Duration::from_secs(10), || {
        Ok(TcpStream::connect(address).ok().map(drop))
    })
}

/// An address on loopback that is free now.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
