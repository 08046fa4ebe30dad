//! The command line: what can be asked of the program, and which exit code answers.

mod replay;
mod run;
mod setting_flags;

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::logging;

/// Holds and proxies requests for serverless services, and reports how many are in flight.
///
/// Without a command it runs, as `activator run` does; without a configuration file it runs an
/// example that shows what to try.
#[derive(Debug, Parser)]
#[command(name = "activator", version, args_conflicts_with_subcommands = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: run::Arguments,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the activator; this is what no command means.
    Run(run::Arguments),
    /// Replay a history of requests and print what would have been reported.
    Replay(replay::Arguments),
}

const EXIT_CODES: &str = "Exit codes: 0 all went well, 1 something failed while running, \
    2 wrong usage, 65 bad history, 78 bad configuration.";

/// How long the last lines of the log may take to be written.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How the program ends when not all went well.
#[derive(Clone, Copy)]
enum Exit {
    Failure = 1,
    /// `EX_DATAERR` of sysexits.h.
    BadHistory = 65,
    /// `EX_CONFIG` of sysexits.h.
    BadConfiguration = 78,
}

/// Does what the command line says and answers the exit code.
///
/// `--help`, `--version` and wrong usage end the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(arguments) => run::run(arguments),
        Command::Replay(arguments) => replay::run(&arguments),
    };
    logging::flush(LAST_WORDS);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(exit as u8),
    }
}

/// Tells the operator why the program ends, on standard error whatever is logged there.
fn fail(exit: Exit, message: &dyn Display) -> Exit {
    logging::say(&format!("activator: {message}"));
    exit
}
