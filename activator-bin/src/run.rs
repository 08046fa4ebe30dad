//! The running program: from a configuration to the exit code.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use reporter_runtime::Stopped;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Config, Sources};
use crate::logging;
use crate::os::open_files;
use crate::source::{FileSource, RevisionSource};

mod activator;
mod control;
mod echo;
mod error;
mod metrics;
mod ports;
mod recording;
mod reporting;
mod sinks;
mod tls;

pub(crate) use crate::os::handover::{Handover, HandoverError};
pub(crate) use crate::tls::TlsProblems;
pub use activator::{Activator, Options};
pub(crate) use error::StartError;

use crate::os::service_manager::{READY, STOPPING, notify};

/// Runs the activator until a signal ends it, and reports what is left to report.
///
/// Sockets that whoever started the process passed to it are served instead of ones of our own, and a
/// service manager is told when service begins and when it ends. To be called before there are threads.
///
/// `config` is what was loaded from `sources`. When there is a file in these, it is followed.
///
/// The history of what the reporter is told is written to `record`. A second signal ends the process
/// at once, with exit code 1.
///
/// # Errors
/// It could not start; nothing was served then.
pub(crate) fn run(
    sources: &Sources,
    config: Config,
    record: Option<PathBuf>,
) -> anyhow::Result<()> {
    let sockets = Handover::from_environment()?;
    // Signals have a runtime of their own, so that they are heard whatever the others are at.
    let main = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    main.block_on(async {
        allow_open_files(config.limits.max_connections);
        let mut signals =
            Signals::new(sources.file.is_some()).context("cannot listen for signals")?;
        let first_look = FirstLook::new(&config);
        let options = Options {
            source: follow(sources, &config).context("cannot listen for SIGHUP")?,
            record,
            sockets,
            ..Options::default()
        };
        let activator = Activator::start(config, options)?;
        first_look.log(activator.http_addr());
        notify(READY);
        let name = signals.next().await;
        tracing::info!("{name}: stopping; once more to end at once");
        notify(STOPPING);
        tokio::select! {
            biased;
            stopped = activator.stop() => log_undelivered(&stopped),
            name = signals.next() => {
                tracing::warn!("{name} after that: ending at once");
                logging::flush(logging::LAST_WORD);
                std::process::exit(1);
            }
        }
        Ok(())
    })
}

/// Reads the files of certificates and keys that `config` names, as a start does.
///
/// # Errors
/// All that is wrong with them, at once.
pub(crate) fn check_files(config: &Config) -> Result<(), TlsProblems> {
    tls::Tls::try_new(config).map(drop)
}

/// As many as may be, and a word when that is not enough for so many clients.
fn allow_open_files(max_connections: usize) {
    if let Err(error) = open_files::raise() {
        tracing::warn!(%error, "cannot raise the limit on open files");
    }
    let room = open_files::room_for_clients();
    if max_connections as u64 > room {
        tracing::warn!(
            "limits.max_connections is {max_connections}, but the hard limit on open files leaves room for {room} clients with a connection to a backend each"
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

fn log_undelivered(stopped: &Stopped) {
    for (sink, outcome) in &stopped.sinks {
        if let Err(error) = outcome {
            tracing::error!(sink, %error);
        }
    }
    tracing::info!("stopped");
}

/// The signals that end the program, and the one that never does.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    has_file: bool,
}

impl Signals {
    /// From now on a SIGHUP does not end the process any more. With a file, whoever follows it hears it too.
    fn new(has_file: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            has_file,
        })
    }

    /// Waits for the next one that ends the program; answers its name.
    ///
    /// Cancel-safe.
    async fn next(&mut self) -> &'static str {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.hangup.recv(), if !self.has_file => {
                    tracing::info!("SIGHUP: there is no configuration file to read again");
                }
            }
        }
    }
}

/// A request to try.
struct FirstLook {
    namespace: String,
    name: String,
}

impl FirstLook {
    fn new(config: &Config) -> Self {
        let key = config.revisions.first().map(|revision| &revision.key);
        Self {
            namespace: key.map_or("default", |key| key.namespace()).into(),
            name: key.map_or("hello", |key| key.name()).into(),
        }
    }

    fn log(&self, address: SocketAddr) {
        let Self { namespace, name } = self;
        let address = SocketAddr::new(reachable(address.ip()), address.port());
        tracing::info!(
            "serving, try: curl -H 'Knative-Serving-Namespace: {namespace}' -H 'Knative-Serving-Revision: {name}' http://{address}/"
        );
    }
}

/// An address that a listener on `ip` can be reached at from this machine.
fn reachable(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
