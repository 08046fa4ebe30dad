//! The command line: commands and exit codes.

mod check;
mod replay;
mod run;
mod setting_flags;
mod sources;
mod up;

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::launcher::supervisor;
use crate::run as activator;
use crate::{logging, request_log};

/// A reverse proxy that queues requests for services scaled to zero and reports their concurrency.
///
/// Without a command it runs, like `activator run`; without a configuration file it runs an example and logs a
/// request to try.
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
    /// Run the activator (the default).
    Run(run::Arguments),
    /// Run a command as a service: it is started for requests, and stopped when it has none for a while.
    Up(up::Arguments),
    /// Check a configuration, and the cluster that it is for, and exit.
    Check(check::Arguments),
    /// Replay a history of requests and print what would have been reported.
    Replay(replay::Arguments),
    /// Serve the first look: what the embedded configuration starts.
    #[command(hide = true)]
    Echo,
}

const EXIT_CODES: &str = "Exit codes: 0 success, 1 failure while running, 2 wrong usage, \
    65 invalid history, 78 invalid configuration.";

/// How long writing the last lines of each log may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Exit codes for failures.
#[derive(Clone, Copy)]
enum Exit {
    Failure = 1,
    /// `EX_DATAERR` of sysexits.h.
    BadHistory = 65,
    /// `EX_CONFIG` of sysexits.h.
    BadConfiguration = 78,
}

/// Runs the command and returns the exit code.
///
/// `--help`, `--version` and wrong usage exit the process.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments
        .next()
        .is_some_and(|first| first == supervisor::COMMAND)
    {
        return supervisor::main(arguments);
    }
    let cli = Cli::parse();
    let outcome = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(arguments) => run::run(arguments),
        Command::Up(arguments) => up::run(arguments),
        Command::Echo => echo(),
        Command::Check(arguments) => check::run(arguments),
        Command::Replay(arguments) => replay::run(&arguments),
    };
    request_log::flush(LAST_WORDS);
    logging::flush(LAST_WORDS);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => ExitCode::from(exit as u8),
    }
}

fn echo() -> Result<(), Exit> {
    match activator::echo() {
        Ok(never) => match never {},
        Err(error) => Err(fail(Exit::Failure, &format_args!("{error:#}"))),
    }
}

/// Reports why the program ends, on standard error whatever the log level.
fn fail(exit: Exit, message: &dyn Display) -> Exit {
    logging::say(&format!("activator: {message}"));
    exit
}
