//! The program under test, and its log.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// The timeout of every wait: nothing here takes as long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The program itself.
pub(crate) const ACTIVATOR: &str = env!("CARGO_BIN_EXE_activator");

/// A port that the system chooses.
pub(crate) const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The program on a free port for requests, with the given admin port.
pub(crate) fn activator(admin: SocketAddr) -> Command {
    listening(Command::new(ACTIVATOR), admin)
}

/// The same, started by a shell after `script`.
pub(crate) fn activator_after(script: &str, admin: SocketAddr) -> Command {
    let mut command = Command::new("sh");
    let script = format!("{script}; exec \"$@\"");
    command.args(["-c", &script, "sh", ACTIVATOR]);
    listening(command, admin)
}

fn listening(mut command: Command, admin: SocketAddr) -> Command {
    command
        .args(["--listen-http", &FREE.to_string(), "--listen-http2", "off"])
        .args(["--listen-admin", &admin.to_string()])
        .env_clear();
    command
}

/// The program with two inherited sockets of these names, as systemd starts it.
pub(crate) fn activator_with_sockets(
    names: &str,
    third: impl Into<OwnedFd>,
    fourth: impl Into<OwnedFd>,
) -> Command {
    // Only the process itself knows its number, and a shell puts descriptors where they belong.
    let script = r#"LISTEN_PID=$$ exec "$0" "$@" 3<&0 4<&1 </dev/null >/dev/null"#;
    let mut command = Command::new("sh");
    command
        .args(["-c", script, ACTIVATOR])
        .args(["--listen-http2", "off"])
        .env_clear()
        .envs([("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", names)])
        .stdin(third.into())
        .stdout(Stdio::from(fourth.into()));
    command
}

/// A running program. It is killed when this is dropped.
pub(crate) struct Program {
    process: Child,
    log: Receiver<String>,
}

impl Program {
    /// Starts `command`, which may be a shell that becomes the program.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // Shown when the test fails.
                println!("{line}");
                let _ = sender.send(line);
            }
        });
        Self { process, log }
    }

    /// The next line of the log, if it comes in time. Skips those of probes and instances, which come at any time.
    fn line(&self, until: Instant) -> Result<String, RecvTimeoutError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left)?;
            let at_any_time = [" activator_bin::probe::", " activator_bin::launcher::"];
            if !at_any_time.iter().any(|module| line.contains(module)) {
                return Ok(line);
            }
        }
    }

    /// All lines of the log that were not read yet. Does not wait.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.try_iter().collect()
    }

    /// Expects the line that says where requests are served; returns the address.
    #[track_caller]
    pub(crate) fn serves(&self) -> SocketAddr {
        http_address(&self.logs("serving, try: "))
    }

    /// Expects the next line to contain `expected`; returns the line.
    #[track_caller]
    pub(crate) fn logs(&self, expected: &str) -> String {
        let line = self.line(Instant::now() + PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{error} before {expected:?}"));
        assert!(line.contains(expected), "{expected:?} in {line:?}");
        line
    }

    /// Skips lines up to one that contains `expected`; returns that line. For logs whose order is not determined.
    #[track_caller]
    pub(crate) fn logs_at_last(&self, expected: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let line = self.line(until);
            let line = line.unwrap_or_else(|error| panic!("{error} before {expected:?}"));
            if line.contains(expected) {
                return line;
            }
        }
    }

    /// The next line of the log.
    #[track_caller]
    pub(crate) fn next_line(&self) -> String {
        self.line(Instant::now() + PATIENCE).unwrap()
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// Expects the end of the process, with this exit code and without another line.
    #[track_caller]
    pub(crate) fn ends(mut self, code: i32) {
        let last = self.line(Instant::now() + PATIENCE);
        assert!(last.is_err(), "nothing more is logged: {last:?}");
        assert_eq!(self.process.wait().unwrap().code(), Some(code));
    }

    /// Ends it by SIGTERM and expects a graceful shutdown.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.signal("TERM");
        self.logs("SIGTERM: stopping; a second signal exits at once");
        self.logs("no longer accepting connections; ");
        self.logs("stopped");
        self.ends(0);
    }

    /// The same, whatever else is logged.
    #[track_caller]
    pub(crate) fn stop_at_last(self) {
        self.signal("TERM");
        self.logs_at_last("stopped");
        self.ends(0);
    }
}

/// The address in the line that says where requests are served.
pub(crate) fn http_address(serving: &str) -> SocketAddr {
    let (_, address) = serving.rsplit_once(" http://").unwrap();
    address.trim_end_matches('/').parse().unwrap()
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended unless the test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
