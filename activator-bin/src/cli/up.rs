//! `activator up`: a command as a service that runs while it has requests.

use std::path::PathBuf;

use super::setting_flags::SettingFlags;
use super::{Exit, check, run};
use crate::config::{Sources, Up};

/// Arguments of `up`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A host that is served, like app.localhost or *.example.org; may be repeated [default: all hosts]
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// The most instances [default: 1]
    #[arg(long, value_name = "N")]
    max_scale: Option<String>,
    /// Check the command line and exit
    #[arg(long)]
    check: bool,
    /// Write a history of all requests, for `activator replay`; an existing file is replaced
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
    /// The command that starts an instance. It listens on the port that stands for {port}, or on $PORT
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

const EXAMPLES: &str = "Examples:
  activator up -- python3 -m http.server --bind 127.0.0.1 {port}
  activator up --host app.localhost --max-scale 4 -- node server.js";

pub(super) fn run(arguments: Arguments) -> Result<(), Exit> {
    let sources = Sources {
        up: Some(Up {
            hosts: arguments.host,
            max_scale: arguments.max_scale,
            command: arguments.command,
        }),
        variables: std::env::vars_os().collect(),
        flags: arguments.settings.0,
        ..Sources::default()
    };
    let config = check::load(&sources)?;
    if arguments.check {
        return check::check(config);
    }
    run::start(&sources, config, arguments.record)
}
