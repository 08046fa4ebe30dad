//! `activator up`, its end in all ways, and restarts that hand over the sockets.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::app::App;
use super::left::{descendants, wait_for_end, with_word};
use crate::command::{self, root};
use crate::support::activator::{choose, program};
use crate::support::http::{Answer, get_from};
use crate::support::process::{Process, Scratch, free_address, wait_for_listener};

const PYTHON: [&str; 6] = [
    "python3",
    "-m",
    "http.server",
    "--bind",
    "127.0.0.1",
    "{port}",
];
const NODE: &str = "require('http').createServer((request, response) => response.end('node')).listen(process.env.PORT, '127.0.0.1')";

pub(crate) fn run() -> Result<()> {
    let up = Up::start(&[], &PYTHON)?;
    let answer = up.get("whatever.example.org")?;
    ensure!(answer.status == 200, "{}{}", answer.head, answer.body);
    up.end("TERM")?;

    let up = Up::start(&["--host", "app.localhost"], &["node", "-e", NODE])?;
    let answer = up.get("app.localhost")?;
    ensure!(
        answer.status == 200 && answer.body.contains("node"),
        "{}{}",
        answer.head,
        answer.body
    );
    let other = up.get("other.localhost")?;
    ensure!(other.status == 404, "another host: status {}", other.status);
    up.end("KILL")?;

    for signal in ["TERM", "KILL"] {
        left_by_double_fork(signal)?;
    }
    println!("no process is left after SIGTERM and SIGKILL, also of those that left their parents");
    handed_over()
}

/// An instance with a process in a session of its own, whose parent has ended.
fn left_by_double_fork(signal: &str) -> Result<()> {
    let word = format!("{}.5", 1_000_000 + std::process::id());
    let script =
        format!("(setsid sleep {word} &) ; exec python3 -m http.server --bind 127.0.0.1 $PORT");
    let up = Up::start(&[], &["sh", "-c", &script])?;
    let answer = up.get("app.localhost")?;
    ensure!(answer.status == 200, "{}{}", answer.head, answer.body);
    let sleeps = || -> Result<Vec<u32>> {
        // The shells have it in their command lines as well.
        let all = with_word(&word)?.into_iter();
        Ok(all.filter(|it| is_named(*it, "sleep")).collect())
    };
    let sleeping = sleeps()?;
    ensure!(sleeping.len() == 1, "{} sleep", sleeping.len());
    up.end(signal)?;
    wait_for_end(&sleeping)
}

fn is_named(process: u32, name: &str) -> bool {
    let named = std::fs::read_to_string(format!("/proc/{process}/comm"));
    named.is_ok_and(|it| it.trim() == name)
}

/// Restarts under load with a service that each process starts itself.
fn handed_over() -> Result<()> {
    let app = App::new()?;
    let scratch = Scratch::new("up")?;
    let config = scratch.path("activator.toml");
    std::fs::write(&config, app.section("app", "max_scale = 1\n"))?;
    command::run(
        Command::new("python3")
            .arg(root().join("e2e/handover.py"))
            .args([program(), config])
            .arg("/")
            .args(choose("app").lines()),
    )?;
    let started = app.started()?;
    println!("{} instances in turn, none of them left", started.len());
    wait_for_end(&started)
}

/// A running `activator up`.
struct Up {
    process: Process,
    http: SocketAddr,
}

impl Up {
    fn start(flags: &[&str], command: &[&str]) -> Result<Self> {
        let (http, admin) = (free_address()?, free_address()?);
        let process = Process::start(
            Command::new(program())
                .arg("up")
                .args(["--listen-http", &http.to_string()])
                .args([
                    "--listen-http2",
                    "off",
                    "--listen-admin",
                    &admin.to_string(),
                ])
                .args(flags)
                .arg("--")
                .args(command)
                .stdout(Stdio::null()),
        )?;
        wait_for_listener(http)?;
        Ok(Self { process, http })
    }

    fn get(&self, host: &str) -> Result<Answer> {
        get_from(self.http, host, "/", "")
    }

    /// Sends a signal to the activator alone: nothing that it has started is left.
    fn end(mut self, signal: &str) -> Result<()> {
        let started = descendants(self.process.id())?;
        started.first().context("it has started nothing")?;
        self.process.signal(signal)?;
        let status = self.process.wait(Duration::from_secs(20))?;
        ensure!(
            signal == "KILL" || status.success(),
            "the activator ended with {status}"
        );
        wait_for_end(&started)
    }
}
