//! A program of the cluster, which a scene may kill and start again.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::programs::directory;
use crate::support::process::Process;

/// What may be started again, with the same arguments.
pub(crate) struct Part {
    name: &'static str,
    command: Box<dyn Fn() -> Command + Send + Sync>,
    process: Option<Process>,
}

impl Part {
    /// Starts the program that `command` describes; its output goes to `log/NAME.log`.
    pub(crate) fn start(
        name: &'static str,
        command: impl Fn() -> Command + Send + Sync + 'static,
    ) -> Result<Self> {
        let mut part = Self {
            name,
            command: Box::new(command),
            process: None,
        };
        part.start_again()?;
        Ok(part)
    }

    /// Starts it once more, after a [`kill`](Self::kill) or when it has ended by itself.
    pub(crate) fn start_again(&mut self) -> Result<()> {
        let mut command = (self.command)();
        log_to(&mut command, self.name)?;
        self.process = Some(Process::start(&mut command)?);
        Ok(())
    }

    /// SIGKILL, as when its machine fails.
    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// SIGTERM, and SIGKILL 5 s later.
    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.signal("TERM");
            let _ = process.wait(Duration::from_secs(5));
        }
    }
}

/// Where the output of the program called `name` is.
pub(crate) fn log_path(name: &str) -> PathBuf {
    directory().join("log").join(format!("{name}.log"))
}

/// Appends a command's output to a log.
pub(crate) fn log_to(command: &mut Command, name: &str) -> Result<()> {
    let path = log_path(name);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(())
}
