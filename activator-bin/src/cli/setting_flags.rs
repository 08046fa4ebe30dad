//! A flag for each setting.

use clap::{Arg, ArgMatches, Command};

use crate::config::{Config, Default, Setting, Settings};

/// What stands above the flags in the help.
pub(super) const HEADING: &str =
    "Settings, each also in the file and as ACTIVATOR_... in the environment";

/// The settings given as flags, unchecked: the configuration reports all errors at once.
#[derive(Clone, Debug)]
pub(super) struct SettingFlags(pub(super) Vec<(&'static str, String)>);

impl clap::FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flag = |field| Some((field, matches.get_one::<String>(field)?.clone()));
        let fields = Config::settings().into_iter().map(|setting| setting.field);
        Ok(Self(fields.filter_map(flag).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl clap::Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        command
            .next_help_heading(HEADING)
            .args(Config::settings().into_iter().map(|setting| {
                Arg::new(setting.field)
                    .long(setting.flag())
                    .value_name("VALUE")
                    // Whether a number may be negative is up to the setting.
                    .allow_negative_numbers(true)
                    .help(help(&setting))
            }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// What a setting is for, and its default.
pub(super) fn help(setting: &Setting) -> String {
    let default = match setting.default {
        Default::Is(text) | Default::Found(text) => format!(" [default: {text}]"),
        Default::Unset | Default::Required => String::new(),
    };
    format!("{}{default}", setting.help)
}
