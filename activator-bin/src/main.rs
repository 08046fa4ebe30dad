//! The program `activator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    activator_bin::cli::main()
}
