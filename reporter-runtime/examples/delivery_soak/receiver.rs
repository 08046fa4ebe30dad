//! The receiver's process: its start, signals, and sums.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde::Deserialize;

/// What `receiver.py report` prints.
#[derive(Debug, Deserialize)]
pub(crate) struct Report {
    pub(crate) runs: usize,
    pub(crate) torn_lines: usize,
    pub(crate) frames: usize,
    pub(crate) unconfirmed_frames: usize,
    pub(crate) confirmed_but_not_here: usize,
    pub(crate) repeated_sequences: usize,
    pub(crate) in_order: bool,
    pub(crate) sums: BTreeMap<String, f64>,
    pub(crate) confirmed_sums: BTreeMap<String, f64>,
    pub(crate) known_after_ns: BTreeMap<String, u64>,
}

pub(crate) struct Receiver {
    python: String,
    script: String,
    port: u16,
    directory: PathBuf,
    process: Child,
}

impl Receiver {
    pub(crate) fn start(python: &str, script: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("delivery-soak-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let port = free_port();
        let record = directory.join("record");
        let process = spawn(python, script, port, &record);
        Self {
            python: python.to_owned(),
            script: script.to_owned(),
            port,
            directory,
            process,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// SIGKILL, and the end of the process.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM, and the end of the process.
    pub(crate) fn terminate(&mut self) {
        self.signal("TERM");
        let status = self.process.wait().unwrap();
        assert!(status.success(), "the receiver ended with {status}");
    }

    /// Starts it again, on the same port and with the same record.
    pub(crate) fn restart(&mut self) {
        let record = self.directory.join("record");
        self.process = spawn(&self.python, &self.script, self.port, &record);
    }

    pub(crate) fn signal(&mut self, name: &str) {
        let ended = self.process.try_wait().unwrap();
        assert_eq!(ended, None, "the receiver ended by itself");
        let status = Command::new("sh")
            .args(["-c", "kill -s \"$0\" \"$1\"", name])
            .arg(self.process.id().to_string())
            .status()
            .unwrap();
        assert!(status.success(), "kill -s {name}: {status}");
    }

    /// What it took in, with the frames that the sender holds for confirmed told apart.
    pub(crate) fn report(mut self, confirmed: &[u64]) -> Report {
        self.terminate();
        let file = self.directory.join("confirmed");
        let lines: String = confirmed.iter().map(|n| format!("{n}\n")).collect();
        fs::write(&file, lines).unwrap();
        let output = Command::new(&self.python)
            .args([&self.script, "report"])
            .args([self.directory.join("record"), file])
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "report: {}", output.status);
        let report = serde_json::from_slice(&output.stdout).unwrap();
        fs::remove_dir_all(&self.directory).unwrap();
        report
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // Has ended already, unless the run has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Below the ports that the system gives to clients: while nobody listens, a client on loopback
/// could otherwise be given the very port that it wants to reach, and connect to itself.
fn free_port() -> u16 {
    let first = 20_000 + u16::try_from(std::process::id() % 5_000).unwrap();
    (first..32_000)
        .find(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .expect("a port is free")
}

fn spawn(python: &str, script: &str, port: u16, record: &PathBuf) -> Child {
    let mut process = Command::new(python)
        .args([script, "serve", &port.to_string()])
        .arg(record)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout = process.stdout.take().expect("it is piped");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    assert_eq!(line, "listening\n", "the receiver did not start");
    process
}
