//! `activator run`: from flags, environment and file to a running activator.

use std::path::PathBuf;

use super::sources::SourceArguments;
use super::{Exit, check, fail};
use crate::config::{Config, Sources};
use crate::launcher::process::absent;
use crate::logging;
use crate::run as activator;
use crate::source::ClusterError;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Check the configuration, and the cluster if there is one, and exit, like `activator check`
    #[arg(long)]
    check: bool,
    /// Write a history of all requests, for `activator replay`; an existing file is replaced
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    sources: SourceArguments,
}

const EXAMPLES: &str = "Examples:
  activator run --config /etc/activator.toml
  activator run --config dev.toml --listen-http 127.0.0.1:8080 --log debug
  activator run --kubeconfig ~/.kube/config";

pub(super) fn run(arguments: Arguments) -> Result<(), Exit> {
    let sources = arguments.sources.sources(None);
    let config = check::load(&sources)?;
    if arguments.check {
        return check::check(config);
    }
    start(&sources, config, arguments.record)
}

pub(super) fn start(
    sources: &Sources,
    config: Config,
    record: Option<PathBuf>,
) -> Result<(), Exit> {
    logging::start(&config.log, config.is_log_set).map_err(|error| {
        fail(
            Exit::Failure,
            &format_args!("cannot start logging: {error}"),
        )
    })?;
    for warning in sources.misspelt_variables() {
        tracing::warn!("{warning}");
    }
    // It may come before the first request.
    for absent in absent(&config.revisions) {
        tracing::warn!("{absent}");
    }
    activator::run(sources, config, record).map_err(|error| {
        let exit = if error.is::<ClusterError>() {
            Exit::BadConfiguration
        } else {
            Exit::Failure
        };
        fail(exit, &format_args!("{error:#}"))
    })
}
