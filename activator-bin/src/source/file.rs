//! The configuration file as a source: it is reloaded when it changes and on SIGHUP.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{RevisionSource, Update};
use crate::config::{Config, Problems, ReloadError, Sources};
use crate::logging;
use crate::os::file_retry::Pause;
use crate::os::file_watch::Watch;
use crate::os::regular_file;
use crate::os::service_manager::{notify_later, reloaded, reloading, status};

/// How long reading may take before that is reported. A file system that hangs blocks one thread.
const PATIENCE: Duration = Duration::from_secs(10);

/// The configuration file. Everything in it is checked each time, flags and environment included.
///
/// A file that could not be read is retried, with growing pauses. One that cannot be read twice, for example a pipe, is
/// not watched.
pub struct FileSource {
    sources: Arc<Sources>,
    path: PathBuf,
    /// The configuration from startup, in force except for its revisions.
    running: Config,
    /// Whether the last valid file had revisions.
    has_revisions: bool,
    /// The settings last logged as needing a restart.
    logged_restart: Vec<&'static str>,
    /// The problems of the file when it was last read.
    problems: Option<Problems>,
    pause: Pause,
    hangup: Signal,
    /// `None` before the first check, and for files that are not watched.
    watch: Option<Watch>,
    /// The kind of the file, if it cannot be read twice.
    once: Option<&'static str>,
    /// What the service manager is told once the outcome of the last read is in force.
    outcome: Option<Outcome>,
    /// A read in progress.
    reading: Option<JoinHandle<Result<Config, ReloadError>>>,
}

/// How often in a row a file is reread because it changed while it was read.
const MAX_STALE: u32 = 10;

/// How a read of the file ended.
struct Outcome {
    reason: Reason,
    /// The first problem, if there were any.
    problem: Option<String>,
}

impl Outcome {
    fn status(&self) -> String {
        let text = match &self.problem {
            Some(problem) => {
                format!("the configuration is invalid, the previous one stays in force: {problem}")
            }
            None => "the configuration was read again".to_owned(),
        };
        match self.reason {
            Reason::Asked => reloaded(&text),
            Reason::Change => status(&text),
        }
    }
}

/// Why the file is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It may have changed, or could not be read before.
    Change,
    /// A SIGHUP: the outcome is reported in any case.
    Asked,
}

impl FileSource {
    /// Watches the file at `path`, which is the file of `sources`; `running` was loaded from them.
    ///
    /// From now on SIGHUP no longer ends the process.
    ///
    /// # Errors
    /// The signal cannot be listened for.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn try_new(path: PathBuf, sources: Sources, running: Config) -> io::Result<Self> {
        let metadata = std::fs::metadata(&path).ok();
        Ok(Self {
            sources: Arc::new(sources),
            once: metadata.and_then(|it| regular_file::read_once(it.file_type())),
            path,
            has_revisions: !running.revisions.is_empty(),
            running: Config {
                revisions: Vec::new(),
                ..running
            },
            logged_restart: Vec::new(),
            problems: None,
            pause: Pause::default(),
            hangup: signal(SignalKind::hangup())?,
            watch: None,
            outcome: None,
            reading: None,
        })
    }

    /// Waits for a reason to read the file.
    async fn reason(&mut self) -> Reason {
        if let Some(kind) = self.once {
            self.no_longer(kind).await;
            return Reason::Asked;
        }
        let Some(watch) = &mut self.watch else {
            // The file may have changed since it was read at startup.
            self.watch = Some(Watch::new(self.path.clone()).await);
            return Reason::Change;
        };
        tokio::select! {
            () = watch.changed() => Reason::Change,
            () = self.pause.over() => Reason::Change,
            _ = self.hangup.recv() => {
                tracing::info!("SIGHUP: reloading the configuration");
                notify_later(reloading()).await;
                watch.settled().await;
                Reason::Asked
            }
        }
    }

    /// Waits until the path is a file that can be read more than once.
    async fn no_longer(&mut self, kind: &'static str) {
        let path = self.path.display();
        tracing::info!("{path} is {kind}, which cannot be read twice: it is not watched");
        loop {
            self.hangup.recv().await;
            notify_later(reloading()).await;
            let metadata = tokio::fs::metadata(&self.path).await;
            let once = metadata.map(|it| regular_file::read_once(it.file_type()));
            let Ok(Some(kind)) = once else {
                break;
            };
            let kept =
                format!("{path} is {kind}, which cannot be read twice: keeping the configuration");
            tracing::warn!("SIGHUP: {kept}");
            notify_later(reloaded(&kept)).await;
        }
        tracing::info!("SIGHUP: reloading the configuration");
        self.once = None;
        self.watch = Some(Watch::new(self.path.clone()).await);
    }

    /// Reads the file. A read that takes too long continues in the background.
    async fn read(&mut self) -> Result<Config, ReloadError> {
        let (sources, may_be_blank) = (&self.sources, !self.has_revisions);
        let reading = self.reading.get_or_insert_with(|| {
            let sources = Arc::clone(sources);
            tokio::task::spawn_blocking(move || sources.reload(may_be_blank))
        });
        match timeout(PATIENCE, reading).await {
            Ok(read) => {
                self.reading = None;
                read.expect("reading panics on no file")
            }
            Err(_) => Err(ReloadError::Unread(Problems::of_file(
                &self.path,
                format!("was not read within {PATIENCE:?}"),
            ))),
        }
    }

    fn on_readable(&mut self) {
        if self.pause.on_success() {
            tracing::info!("{} can be read again", self.path.display());
        }
    }

    fn log_restart(&mut self, config: &Config) {
        let fields = self.running.restart_needed(config);
        if fields != self.logged_restart {
            if !fields.is_empty() {
                let fields = fields.join(", ");
                tracing::warn!("changes to these settings take effect at the next start: {fields}");
            }
            self.logged_restart = fields;
        }
    }
}

#[async_trait]
impl RevisionSource for FileSource {
    async fn changed(&mut self) -> Result<Update, Problems> {
        if let Some(outcome) = self.outcome.take() {
            // Whoever asks for further changes has applied those before.
            notify_later(outcome.status()).await;
        }
        let mut reason = Reason::Change;
        let mut stale = 0;
        loop {
            if stale == 0 && self.reading.is_none() && self.reason().await == Reason::Asked {
                reason = Reason::Asked;
            }
            let read = self.read().await;
            if let Some(watch) = &mut self.watch
                && self.reading.is_none()
                && stale < MAX_STALE
                && watch.is_stale().await
            {
                stale += 1;
                watch.settled().await;
                continue;
            }
            stale = 0;
            let problems = match read {
                Ok(config) => {
                    self.on_readable();
                    let was_bad = self.problems.take().is_some();
                    self.has_revisions = !config.revisions.is_empty();
                    let filter = config.is_log_set.then(|| config.log.filter.clone());
                    logging::on(logging::Event::Configured(filter));
                    self.log_restart(&config);
                    if reason == Reason::Asked || was_bad {
                        self.outcome = Some(Outcome {
                            reason,
                            problem: None,
                        });
                    }
                    return Ok(Update::All(config.revisions));
                }
                Err(ReloadError::Unread(problems)) => {
                    self.pause.on_failure();
                    problems
                }
                Err(ReloadError::Bad(problems)) => {
                    self.on_readable();
                    problems
                }
            };
            let known = self.problems.as_ref() == Some(&problems);
            self.problems = Some(problems.clone());
            if reason == Reason::Asked || !known {
                self.outcome = Some(Outcome {
                    reason,
                    problem: problems.as_slice().first().map(ToString::to_string),
                });
                return Err(problems);
            }
        }
    }
}
