//! `activator config`: the configuration as a file, with its defaults or as it is in effect.

mod default;
mod layout;
mod show;

use super::Exit;
use super::check::bad_configuration;
use super::output::print;
use super::sources::SourceArguments;

/// What to print.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the configuration that runs without a file, as a file with every setting and its help.
    Default(default::Arguments),
    /// Print the configuration in effect, with the source of each value.
    Show(show::Arguments),
}

pub(super) fn run(command: Command) -> Result<(), Exit> {
    match command {
        Command::Default(arguments) => default::run(&arguments),
        Command::Show(arguments) => show::run(arguments),
    }
}
