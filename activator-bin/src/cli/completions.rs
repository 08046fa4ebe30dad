//! `activator completions`: what shells complete.

use clap::CommandFactory;
use clap_complete::Shell;

use super::output::print;
use super::{Cli, Exit};

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

const EXAMPLES: &str = "Examples:
  activator completions bash > /usr/share/bash-completion/completions/activator
  activator completions zsh > /usr/share/zsh/site-functions/_activator
  activator completions fish > /usr/share/fish/vendor_completions.d/activator.fish";

pub(super) fn run(arguments: &Arguments) -> Result<(), Exit> {
    let mut script = Vec::new();
    clap_complete::generate(
        arguments.shell,
        &mut Cli::command(),
        "activator",
        &mut script,
    );
    print(&String::from_utf8_lossy(&script))
}
