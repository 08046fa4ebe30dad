//! The running program: from a configuration to the exit code.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use reporter_runtime::Stopped;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::access_log::AccessLog;
use crate::config::{Config, Sources};
use crate::logging;
use crate::os::open_files;
use crate::source::{ApiAccess, ClusterLimits, FileSource, RevisionSource};

mod access_log;
mod activator;
mod cluster;
mod control;
mod echo;
mod error;
mod first_look;
mod metrics;
mod ports;
mod recording;
mod reopening;
mod reporting;
mod sinks;
mod tls;
mod traces;
mod watchdog;

pub(crate) use crate::os::handover::{Handover, HandoverError};
pub(crate) use crate::tls::TlsProblems;
pub use activator::{Activator, Options};
pub(crate) use cluster::check_cluster;
pub(crate) use echo::run as echo;
pub(crate) use error::StartError;
pub use tls::cluster as cluster_tls;

use crate::os::service_manager::{READY, STOPPING, notify, reloaded, reloading};
use first_look::FirstLook;

const NOTHING_TO_RELOAD: &str = "there is no configuration file to reload";
/// How long writing the last lines of the access log may take.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Runs the activator until a signal ends it and the last report is delivered.
///
/// Serves sockets passed by the parent process instead of binding its own, and notifies a service manager when
/// service begins and ends. Must be called before there are threads.
///
/// `config` was loaded from `sources`, whose file is watched if there is one. The history of requests is written to
/// `record`. A second signal exits the process immediately, with exit code 1.
///
/// # Errors
/// It could not start; nothing was served.
pub(crate) fn run(
    sources: &Sources,
    config: Config,
    record: Option<PathBuf>,
) -> anyhow::Result<()> {
    let sockets = Handover::from_environment()?;
    // Signals have their own runtime, so that they are handled however busy the others are.
    let main = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    main.block_on(async {
        allow_open_files(config.limits.max_connections);
        let mut signals =
            Signals::new(sources.file.is_some()).context("cannot listen for signals")?;
        tokio::spawn(logging::run());
        let first_look = FirstLook::new(&config);
        // Handshakes fail until the cluster's objects are set.
        let cluster_tls = config.cluster.as_ref().map(|_| cluster_tls(&config));
        let access_log = AccessLog::default();
        let options = Options {
            cluster: access(&config).await?,
            cluster_tls: cluster_tls.transpose()?.map(Arc::new),
            source: follow(sources, &config).context("cannot listen for SIGHUP")?,
            record,
            sockets,
            access_log: access_log.clone(),
            ..Options::default()
        };
        let activator = Activator::start(config, options)?;
        first_look.log(&activator);
        notify(READY);
        tokio::spawn(watchdog::run(activator.loops()));
        let name = signals.next().await;
        tracing::info!("{name}: stopping; a second signal exits at once");
        notify(STOPPING);
        tokio::select! {
            biased;
            stopped = activator.stop() => {
                access_log.flush(LAST_LINES);
                log_undelivered(&stopped);
            }
            name = signals.next() => {
                tracing::warn!("{name}: second signal, exiting at once");
                access_log.flush(logging::LAST_WORD);
                logging::flush(logging::LAST_WORD);
                std::process::exit(1);
            }
        }
        Ok(())
    })
}

/// Reads the certificates and keys of `config`, as at startup.
///
/// # Errors
/// All problems found.
pub(crate) fn check_files(config: &Config) -> Result<(), TlsProblems> {
    tls::Tls::try_new(config, None).map(drop)
}

/// Raises the limit on open files, and warns if it is too low for `max_connections`.
fn allow_open_files(max_connections: usize) {
    if let Err(error) = open_files::raise() {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
    let room = open_files::room_for_clients();
    if max_connections as u64 > room {
        tracing::warn!(
            "limits.max_connections is {max_connections}, but the hard limit on open files allows only {room} clients, each with a backend connection"
        );
    }
}

fn follow(sources: &Sources, config: &Config) -> io::Result<Option<Box<dyn RevisionSource>>> {
    let Some(path) = sources.file.clone() else {
        return Ok(None);
    };
    let source = FileSource::try_new(path, sources.clone(), config.clone())?;
    Ok(Some(Box::new(source)))
}

/// How the cluster is reached, if there is one.
async fn access(config: &Config) -> anyhow::Result<Option<ApiAccess>> {
    let Some(cluster) = config.cluster.clone() else {
        return Ok(None);
    };
    Ok(Some(
        ApiAccess::try_new(cluster, ClusterLimits::default()).await?,
    ))
}

fn log_undelivered(stopped: &Stopped) {
    for (sink, outcome) in &stopped.sinks {
        if let Err(error) = outcome {
            tracing::error!(sink, %error);
        }
    }
    tracing::info!("stopped");
}

/// SIGTERM and SIGINT, which end the program, and SIGHUP and SIGUSR1, which do not.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// Switches the log to debug and back.
    user1: Signal,
    has_file: bool,
}

impl Signals {
    /// From now on SIGHUP and SIGUSR1 no longer end the process. With a file, its `FileSource` handles the first.
    fn new(has_file: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            has_file,
        })
    }

    /// Waits for the next signal that ends the program, and returns its name.
    ///
    /// Cancel-safe.
    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv(), if !self.has_file => {
                    notify(&reloading());
                    tracing::info!("SIGHUP: {NOTHING_TO_RELOAD}");
                    notify(&reloaded(NOTHING_TO_RELOAD));
                }
                _ = self.user1.recv() => logging::on(logging::Event::Signal),
            }
        }
    }
}
