//! Results on standard output.

use std::io::{self, ErrorKind, Write};

use super::{Exit, fail};

/// Prints all of `text`. A reader that has seen enough is no failure.
pub(super) fn print(text: &str) -> Result<(), Exit> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text.as_bytes());
    outcome(written.and_then(|()| stdout.flush()))
}

/// What it means for the program that writing to standard output ended so.
pub(super) fn outcome(written: io::Result<()>) -> Result<(), Exit> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            let message = format_args!("standard output: {error}");
            Err(fail(Exit::Failure, &message))
        }
        _ => Ok(()),
    }
}
