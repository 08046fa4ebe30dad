//! `activator replay`: a history from a file or standard input, its batches on standard output.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use reporter_core::Accounting;

use super::{Exit, fail};
use crate::history::{ReplayError, Summary, replay};

/// Arguments of `replay`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// How requests are counted
    #[arg(long, default_value_t, value_parser = accounting())]
    accounting: Accounting,
    /// The history, one JSON object a line; - is standard input
    #[arg(default_value = "-")]
    file: PathBuf,
}

const EXAMPLES: &str = "Examples:
  activator run --record history.ndjson
  activator replay --accounting average history.ndjson";

fn accounting() -> impl TypedValueParser<Value = Accounting> {
    let names = [Accounting::Snapshot, Accounting::Average].map(Accounting::as_str);
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Accounting>())
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let stdin = arguments.file == Path::new("-");
    let name = if stdin {
        "standard input".into()
    } else {
        arguments.file.to_string_lossy()
    };
    let input: Box<dyn Read> = if stdin {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&arguments.file);
        let cannot_read =
            |error| fail(Exit::Failure, &format_args!("{name}: cannot read: {error}"));
        Box::new(file.map_err(cannot_read)?)
    };
    match replay(input, io::stdout().lock(), arguments.accounting) {
        Ok(summary) => {
            warn_unmatched(&name, &summary);
            Ok(())
        }
        // The reader of the output has seen enough.
        Err(ReplayError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error @ ReplayError::Write(_)) => Err(fail(
            Exit::Failure,
            &format_args!("standard output: {error}"),
        )),
        Err(error @ ReplayError::BadLine { .. }) => {
            Err(fail(Exit::BadHistory, &format_args!("{name}: {error}")))
        }
        Err(error @ ReplayError::Read(_)) => {
            Err(fail(Exit::Failure, &format_args!("{name}: {error}")))
        }
    }
}

fn warn_unmatched(name: &str, summary: &Summary) {
    if let Some(line) = summary.first_unmatched {
        let _ = writeln!(
            io::stderr(),
            "activator: {name}: {} request ends were ignored, as no request was in flight; the first is on line {line}",
            summary.unmatched_outs,
        );
    }
}
