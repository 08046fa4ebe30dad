//! `activator check`: what is wrong with a configuration, without running it.

use std::path::PathBuf;

use super::sources::SourceArguments;
use super::{Exit, fail};
use crate::config::{Config, Problems, Sources};
use crate::run as activator;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The configuration, a TOML file
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    sources: SourceArguments,
}

pub(super) fn run(arguments: Arguments) -> Result<(), Exit> {
    let sources = arguments.sources.sources(arguments.file);
    load(&sources).map(drop)
}

/// The configuration, all of it checked, the files that it names too.
pub(super) fn load(sources: &Sources) -> Result<Config, Exit> {
    let config = sources.load().map_err(bad_configuration)?;
    activator::check_files(&config).map_err(|problems| {
        let message = format_args!("the TLS files are invalid\n{problems}");
        fail(Exit::BadConfiguration, &message)
    })?;
    Ok(config)
}

fn bad_configuration(problems: Problems) -> Exit {
    let count = problems.as_slice().len();
    let s = if count == 1 { "" } else { "s" };
    let message = format_args!("the configuration has {count} error{s}\n{problems}");
    fail(Exit::BadConfiguration, &message)
}
