//! The configuration file as a source: it is read again when it changes and at a SIGHUP.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::RevisionSource;
use super::watch::Watch;
use crate::config::{Config, Problems, RevisionConfig, Sources};

/// The configuration file. Everything in it is checked each time, flags and environment included.
pub struct FileSource {
    sources: Arc<Sources>,
    path: PathBuf,
    /// What was in force at the start, and still is but for the revisions.
    running: Config,
    /// What was logged as needing a restart.
    told: Vec<&'static str>,
    /// What was wrong with the file when it was read last.
    problems: Option<Problems>,
    hangup: Signal,
    /// None before the first look.
    watch: Option<Watch>,
}

impl FileSource {
    /// Follows the file at `path`, which is that of `sources`, from which `running` was loaded.
    ///
    /// From now on a SIGHUP does not end the process any more.
    ///
    /// # Errors
    /// The signal can't be listened for.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn try_new(path: PathBuf, sources: Sources, running: Config) -> io::Result<Self> {
        Ok(Self {
            sources: Arc::new(sources),
            path,
            running,
            told: Vec::new(),
            problems: None,
            hangup: signal(SignalKind::hangup())?,
            watch: None,
        })
    }

    /// Waits for a reason to read the file; true when somebody wants to hear of it in any case.
    async fn reason(&mut self) -> bool {
        let Some(watch) = &mut self.watch else {
            // The file may have changed between its being read at the start and now.
            self.watch = Some(Watch::new(self.path.clone()).await);
            return false;
        };
        tokio::select! {
            () = watch.changed() => false,
            _ = self.hangup.recv() => {
                tracing::info!("SIGHUP: reading the configuration again");
                true
            }
        }
    }

    fn tell_restart(&mut self, config: &Config) {
        let fields = self.running.restart_needed(config);
        if fields != self.told {
            if !fields.is_empty() {
                let fields = fields.join(", ");
                tracing::warn!("these settings take effect at the next start: {fields}");
            }
            self.told = fields;
        }
    }
}

#[async_trait]
impl RevisionSource for FileSource {
    async fn changed(&mut self) -> Result<Vec<RevisionConfig>, Problems> {
        loop {
            let asked = self.reason().await;
            let sources = Arc::clone(&self.sources);
            let loading = tokio::task::spawn_blocking(move || sources.load());
            match loading.await.expect("no file makes the loading panic") {
                Ok(config) => {
                    self.problems = None;
                    self.tell_restart(&config);
                    return Ok(config.revisions);
                }
                Err(problems) => {
                    let known = self.problems.as_ref() == Some(&problems);
                    self.problems = Some(problems.clone());
                    if asked || !known {
                        return Err(problems);
                    }
                }
            }
        }
    }
}
