//! The arguments that say where the configuration comes from.

use std::path::PathBuf;

use super::setting_flags::SettingFlags;
use crate::config::Sources;

/// Where the configuration comes from. Each setting has a flag as well.
#[derive(Debug, clap::Args)]
pub(super) struct SourceArguments {
    /// The configuration, a TOML file; also ACTIVATOR_CONFIG in the environment
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: SettingFlags,
}

impl SourceArguments {
    /// These arguments and the environment. `file` takes precedence over `--config`.
    pub(super) fn sources(self, file: Option<PathBuf>) -> Sources {
        // An empty variable counts as unset, like every other one.
        let variable = || std::env::var_os("ACTIVATOR_CONFIG").filter(|path| !path.is_empty());
        let file = file.or(self.config);
        Sources {
            file: file.or_else(|| variable().map(PathBuf::from)),
            cluster: None,
            variables: std::env::vars_os().collect(),
            flags: self.settings.0,
        }
    }
}
