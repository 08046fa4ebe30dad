//! The program under test, with the revisions of a scene.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::http::{get, post};
use super::process::{Process, Scratch, free_address, wait_for_listener, wait_until};
use crate::program::{self, Target};

/// A running activator. It is killed when this is dropped.
pub(crate) struct Activator {
    pub(crate) process: Process,
    pub(crate) http: SocketAddr,
    pub(crate) http2: SocketAddr,
    pub(crate) admin: SocketAddr,
    scratch: Scratch,
}

impl Activator {
    /// Starts the release build with `config` (TOML) after the sections that every scene needs:
    /// free ports, and batches that are discarded.
    pub(crate) fn start(config: &str) -> Result<Self> {
        Self::start_with(config, &[])
    }

    /// The same with flags, which override `config`.
    pub(crate) fn start_with(config: &str, flags: &[&str]) -> Result<Self> {
        let scratch = Scratch::new("activator")?;
        let (http, http2, admin) = (free_address()?, free_address()?, free_address()?);
        let file = scratch.path(FILE);
        std::fs::write(&file, text(config, http, http2, admin))?;
        Ok(Self {
            process: serving(&file, flags, [admin, http])?,
            http,
            http2,
            admin,
            scratch,
        })
    }

    /// Ends it by SIGTERM, and starts it again with the same ports.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.process.signal("TERM")?;
        self.process.wait(Duration::from_secs(40))?;
        let file = self.scratch.path(FILE);
        self.process = serving(&file, &[], [self.admin, self.http])?;
        Ok(())
    }

    /// Replaces the configuration file, as an editor does: a new file is moved over the old one.
    pub(crate) fn write_config(&self, config: &str) -> Result<()> {
        let new = self.scratch.path("new.toml");
        std::fs::write(&new, text(config, self.http, self.http2, self.admin))?;
        Ok(std::fs::rename(new, self.scratch.path(FILE))?)
    }

    /// The value of every series of a metric, by its labels.
    pub(crate) fn series(&self, metric: &str) -> Result<BTreeMap<String, f64>> {
        let answer = get(self.admin, "/metrics", "")?;
        ensure!(answer.status == 200, "/metrics: status {}", answer.status);
        let mut series = BTreeMap::new();
        for line in answer.body.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let (name, labels) = name.split_once('{').unwrap_or((name, ""));
            if name == metric {
                let value = value
                    .parse()
                    .with_context(|| format!("a number in {line:?}"))?;
                series.insert(labels.trim_end_matches('}').to_owned(), value);
            }
        }
        Ok(series)
    }

    /// Waits until the concurrency of every revision is 0, for at most `limit`; there must be some.
    pub(crate) fn wait_for_idle(&self, limit: Duration) -> Result<()> {
        wait_until("a revision's gauge is not 0", limit, || {
            let gauges = self.series("kn_revision_request_concurrency")?;
            Ok((!gauges.is_empty() && gauges.values().all(|&value| value == 0.0)).then_some(()))
        })
    }

    /// SIGTERM, and its exit with success.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.process.signal("TERM")?;
        let status = self.process.wait(Duration::from_secs(40))?;
        ensure!(status.success(), "the activator ended with {status}");
        Ok(())
    }
}

const FILE: &str = "activator.toml";

/// Starts the program, and waits until it listens at each of the ports.
fn serving(file: &Path, flags: &[&str], ports: [SocketAddr; 2]) -> Result<Process> {
    let mut command = Command::new(program());
    command.arg("--config").arg(file).args(flags);
    let process = Process::start(command.stdout(Stdio::null()))?;
    ports.into_iter().try_for_each(wait_for_listener)?;
    Ok(process)
}

fn text(config: &str, http: SocketAddr, http2: SocketAddr, admin: SocketAddr) -> String {
    format!("{config}\n[listen]\nhttp = \"{http}\"\nhttp2 = \"{http2}\"\nadmin = \"{admin}\"\n")
}

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Builds what scenes and benchmarks start: the program that is given to others.
pub(crate) fn build() -> Result<()> {
    let built = program::build(&Target::find(None)?)?;
    PROGRAM.get_or_init(|| built);
    Ok(())
}

/// The program.
///
/// # Panics
/// Before `build`.
pub(crate) fn program() -> PathBuf {
    PROGRAM.get().expect("it has been built").clone()
}

/// Puts a revision of the activator with this admin port to sleep. It may still have instances afterwards.
pub(crate) fn put_to_sleep(admin: SocketAddr, name: &str) -> Result<()> {
    let path = format!("/v1/revisions/default/{name}/sleep");
    let answer = post(admin, &path)?;
    ensure!(
        answer.status < 300,
        "{path}: {} {}",
        answer.status,
        answer.body
    );
    Ok(())
}

/// A revision's section in the configuration.
pub(crate) fn revision(name: &str, backends: &[SocketAddr]) -> String {
    let backends: Vec<_> = backends
        .iter()
        .map(|backend| format!("\"{backend}\""))
        .collect();
    format!(
        "[[revision]]\nnamespace = \"default\"\nname = \"{name}\"\nservice = \"{name}\"\nconfiguration = \"{name}\"\nbackends = [{}]\n",
        backends.join(", ")
    )
}

/// The header lines that choose a revision.
pub(crate) fn choose(name: &str) -> String {
    format!("Knative-Serving-Namespace: default\r\nKnative-Serving-Revision: {name}\r\n")
}
