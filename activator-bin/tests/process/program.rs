//! The program under test, and its log.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::Pid;

/// Longer than anything here takes; whoever waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The program itself.
pub(crate) const ACTIVATOR: &str = env!("CARGO_BIN_EXE_activator");

/// A running program. It is killed when this is dropped.
pub(crate) struct Program {
    process: Child,
    log: Receiver<String>,
}

impl Program {
    /// Starts `command`, which may become the program only later.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut process = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (sender, log) = channel();
        std::thread::spawn(move || {
            // What probes find comes at a time of its own.
            let is_awaited = |line: &String| !line.contains(" activator_bin::probe::");
            for line in lines.map_while(Result::ok).filter(is_awaited) {
                let _ = sender.send(line);
            }
        });
        Self { process, log }
    }

    /// The next line of the log has this in it; answers the line.
    #[track_caller]
    pub(crate) fn logs(&self, expected: &str) -> String {
        let line = self.log.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{error} before {expected:?}"));
        assert!(line.contains(expected), "{expected:?} in {line:?}");
        line
    }

    /// A line with this in it comes, behind whatever else is logged: for where two tasks log, or
    /// nobody knows how often. Answers the line.
    #[track_caller]
    pub(crate) fn logs_at_last(&self, expected: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.log.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("{error} before {expected:?}"));
            if line.contains(expected) {
                return line;
            }
        }
    }

    /// The next line of the log.
    #[track_caller]
    pub(crate) fn next_line(&self) -> String {
        self.log.recv_timeout(PATIENCE).unwrap()
    }

    pub(crate) fn id(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.process.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.unwrap().success());
    }

    /// It ends by itself, with this exit code and without another word.
    #[track_caller]
    pub(crate) fn ends(mut self, code: i32) {
        let last = self.log.recv_timeout(PATIENCE);
        assert!(last.is_err(), "nothing more is logged: {last:?}");
        assert_eq!(self.process.wait().unwrap().code(), Some(code));
    }

    /// SIGTERM and an end in peace.
    #[track_caller]
    pub(crate) fn stop(self) {
        self.signal("TERM");
        self.logs("SIGTERM: stopping; once more to end at once");
        self.logs("no new connections, ");
        self.logs("stopped");
        self.ends(0);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended unless the test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
