//! The command line: commands and exit codes.

mod check;
mod completions;
mod config;
mod healthcheck;
mod man;
mod output;
mod replay;
mod run;
mod setting_flags;
mod sources;
mod up;
mod version;

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::launcher::supervisor;
use crate::logging;
use crate::run as activator;

/// A reverse proxy that queues requests for services scaled to zero and reports their concurrency.
///
/// Without a command it runs, like `activator run`; without a configuration file it runs an example and logs a
/// request to try.
#[derive(Debug, Parser)]
#[command(name = "activator", version, args_conflicts_with_subcommands = true, after_help = exit_codes())]
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
    /// Print the configuration, with its defaults or as it is in effect.
    #[command(subcommand)]
    Config(config::Command),
    /// Replay a history of requests and print what would have been reported.
    Replay(replay::Arguments),
    /// Ask an activator that runs here whether it is alive, and exit with 0 or 1.
    Healthcheck(healthcheck::Arguments),
    /// Print which program this is, and what it was built for and by.
    Version(version::Arguments),
    /// Print the completions for a shell.
    Completions(completions::Arguments),
    /// Print the manual page, activator(1).
    Man,
}

/// The first argument of the first look: what the embedded configuration starts. No command for people, so it is neither
/// in the help nor among the completions.
const ECHO: &str = "echo";

/// What each exit code means.
const EXIT_CODES: &[(u8, &str)] = &[
    (0, "success"),
    (Exit::Failure as u8, "failure while running"),
    (Exit::WrongUsage as u8, "wrong usage"),
    (Exit::BadHistory as u8, "invalid history"),
    (Exit::BadConfiguration as u8, "invalid configuration"),
];

/// How long writing the last lines of each log may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Exit codes for failures.
#[derive(Clone, Copy)]
enum Exit {
    Failure = 1,
    WrongUsage = 2,
    /// `EX_DATAERR` of sysexits.h.
    BadHistory = 65,
    /// `EX_CONFIG` of sysexits.h.
    BadConfiguration = 78,
}

/// Runs the command and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let outcome = match arguments.next() {
        Some(first) if first == supervisor::COMMAND => return supervisor::main(arguments),
        Some(first) if first == ECHO => echo(),
        _ => match Cli::try_parse() {
            Ok(cli) => execute(cli),
            Err(error) => return explain(&error),
        },
    };
    logging::flush(LAST_WORDS);
    exit_code(outcome)
}

fn execute(cli: Cli) -> Result<(), Exit> {
    match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(arguments) => run::run(arguments),
        Command::Up(arguments) => up::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Config(command) => config::run(command),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(arguments),
        Command::Version(arguments) => version::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man => man::run(),
    }
}

/// Prints help or the version, which are results, or what is wrong with the usage.
fn explain(error: &clap::Error) -> ExitCode {
    let printed = error.print();
    if error.use_stderr() {
        return ExitCode::from(Exit::WrongUsage as u8);
    }
    exit_code(output::outcome(printed))
}

fn exit_codes() -> String {
    let codes: Vec<_> = EXIT_CODES
        .iter()
        .map(|(code, meaning)| format!("{code} {meaning}"))
        .collect();
    format!("Exit codes: {}.", codes.join(", "))
}

fn exit_code(outcome: Result<(), Exit>) -> ExitCode {
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
