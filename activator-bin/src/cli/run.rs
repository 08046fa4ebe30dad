//! `activator run`: from flags, environment and file to a running activator.

use std::path::PathBuf;

use super::setting_flags::SettingFlags;
use super::{Exit, fail};
use crate::config::{Config, Problems, Sources};
use crate::logging;
use crate::run as activator;
use crate::run::TlsProblems;

/// Arguments of `run`. Each setting has a flag as well.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration, a TOML file; also ACTIVATOR_CONFIG in the environment
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration, report all errors in it, and exit
    #[arg(long)]
    check: bool,
    /// Write a history of all requests, for `activator replay`; an existing file is replaced
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Exit> {
    // An empty variable counts as unset, like every other one.
    let variable = || std::env::var_os("ACTIVATOR_CONFIG").filter(|path| !path.is_empty());
    let sources = Sources {
        file: arguments.config.or_else(|| variable().map(PathBuf::from)),
        variables: std::env::vars_os().collect(),
        flags: arguments.settings.0,
    };
    let config = sources.load().map_err(bad_configuration)?;
    activator::check_files(&config).map_err(bad_files)?;
    if arguments.check {
        return Ok(());
    }
    start(&sources, config, arguments.record)
}

fn start(sources: &Sources, config: Config, record: Option<PathBuf>) -> Result<(), Exit> {
    logging::start(&config.log).map_err(|error| {
        fail(
            Exit::Failure,
            &format_args!("cannot start logging: {error}"),
        )
    })?;
    for warning in sources.misspelt_variables() {
        tracing::warn!("{warning}");
    }
    activator::run(sources, config, record)
        .map_err(|error| fail(Exit::Failure, &format_args!("{error:#}")))
}

fn bad_files(problems: TlsProblems) -> Exit {
    let message = format_args!("the TLS files are invalid\n{problems}");
    fail(Exit::BadConfiguration, &message)
}

fn bad_configuration(problems: Problems) -> Exit {
    let count = problems.as_slice().len();
    let s = if count == 1 { "" } else { "s" };
    let message = format_args!("the configuration has {count} error{s}\n{problems}");
    fail(Exit::BadConfiguration, &message)
}
