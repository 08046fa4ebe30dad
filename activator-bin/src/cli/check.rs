//! `activator check`: what is wrong with a configuration or a cluster, without running there.

use std::path::PathBuf;

use super::output::print;
use super::sources::SourceArguments;
use super::{Exit, fail};
use crate::config::{Config, Problems, Sources};
use crate::launcher::process::absent;
use crate::run as activator;

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The configuration, a TOML file
    #[arg(value_name = "FILE", conflicts_with = "config")]
    file: Option<PathBuf>,
    #[command(flatten)]
    sources: SourceArguments,
}

const EXAMPLES: &str = "Examples:
  activator check /etc/activator.toml
  activator check --kubeconfig ~/.kube/config";

pub(super) fn run(arguments: Arguments) -> Result<(), Exit> {
    let sources = arguments.sources.sources(arguments.file);
    check(load(&sources)?)
}

/// The configuration, all of it checked, the files that it names too.
pub(super) fn load(sources: &Sources) -> Result<Config, Exit> {
    let config = sources.load().map_err(bad_configuration)?;
    activator::check_files(&config).map_err(|problems| {
        // Read once more, in the worst case: `None` if it has changed since, or cannot be read twice.
        let effective = sources.effective().ok();
        let place = |setting: &str| {
            let location = effective.as_ref()?.location(setting)?;
            Some(format!("{location}: "))
        };
        let mut message = "the TLS files are invalid".to_owned();
        for problem in problems.as_slice() {
            let place = place(problem.setting()).unwrap_or_default();
            message.push_str(&format!("\n{place}{problem}"));
        }
        fail(Exit::BadConfiguration, &message)
    })?;
    Ok(config)
}

/// Checks what a configuration names outside of itself: programs, or the cluster that it is for. Prints what was found of
/// that.
pub(super) fn check(config: Config) -> Result<(), Exit> {
    let absent = absent(&config.revisions);
    if !absent.is_empty() {
        let lines: Vec<_> = absent.iter().map(ToString::to_string).collect();
        let message = format_args!("what revisions start is not there\n{}", lines.join("\n"));
        return Err(fail(Exit::BadConfiguration, &message));
    }
    let Some(cluster) = config.cluster else {
        return Ok(());
    };
    let lines = activator::check_cluster(cluster, &config.kubernetes);
    let lines = lines.map_err(|error| fail(Exit::BadConfiguration, &error))?;
    print(
        &lines
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>(),
    )?;
    match lines.iter().filter(|line| line.is_error()).count() {
        0 => Ok(()),
        count => {
            let s = if count == 1 { "" } else { "s" };
            let message = format_args!("the cluster is not ready for it: {count} error{s}");
            Err(fail(Exit::BadConfiguration, &message))
        }
    }
}

pub(super) fn bad_configuration(problems: Problems) -> Exit {
    let count = problems.as_slice().len();
    let s = if count == 1 { "" } else { "s" };
    let message = format_args!("the configuration has {count} error{s}\n{problems}");
    fail(Exit::BadConfiguration, &message)
}
