//! What is to be logged: a level, and levels of single modules.

use std::fmt;
use std::str::FromStr;

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};

use crate::settings::{Value, nearest};

const EXPECTED: &str = "a log filter, like \"info\" or \"info,hyper=debug\"";
/// The longest filter, in bytes.
const MAX: usize = 1024;
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// The modules of this program.
const OWN: [&str; 2] = ["activator_bin", "reporter"];
/// The module that logs changes of the filter, which are always logged.
const CHANGES: &str = "activator_bin::logging::control";

/// A log filter: a level, or one per module as in `info,hyper=debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Filter {
    /// In lower case and without space.
    text: String,
}

impl Filter {
    /// Everything up to `level`. Other people's modules, at most up to info: their debugging is not ours.
    pub(crate) fn up_to(level: LevelFilter) -> Self {
        let (level, others) = (level.to_string(), level.min(LevelFilter::INFO).to_string());
        let own = OWN.map(|own| format!(",{own}={level}"));
        let text = if level == others {
            level
        } else {
            others + &own.concat()
        };
        text.parse().expect("it is made of levels and modules")
    }

    /// Reads a filter.
    ///
    /// # Errors
    /// What is wrong with it, and what was expected.
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, String> {
        let text = value.string(EXPECTED)?;
        if text.len() > MAX {
            return Err(format!("is longer than {MAX} bytes"));
        }
        let instead = || value.instead_of(EXPECTED);
        let mut parts = Vec::new();
        for part in text.split(',') {
            let (module, level) = match part.split_once('=') {
                Some((module, level)) => (Some(module.trim()), level.trim()),
                None => (None, part.trim()),
            };
            let level = level.to_ascii_lowercase();
            if !LEVELS.contains(&level.as_str()) {
                let near = nearest(&level, LEVELS);
                let hint = near.map(|near| format!("; did you mean {near:?}?"));
                return Err(instead() + &hint.unwrap_or_default());
            }
            match module {
                None => parts.push(level),
                Some(module) if is_module(module) => parts.push(format!("{module}={level}")),
                Some(_) => return Err(instead()),
            }
        }
        let text = parts.join(",");
        Ok(Self { text })
    }

    /// The filter to log by: without what only those should see who ask for it, and with each change of the filter.
    pub(super) fn applied(&self) -> Targets {
        let asked: Targets = self.text.parse().expect("it has levels and modules only");
        let quiet = [
            // Any client can make it warn, any number of times.
            ("h2", LevelFilter::ERROR),
            // Each failed request to the API server is an error to it, however often it is repeated.
            ("kube_client", LevelFilter::OFF),
        ];
        let filter = quiet.into_iter().fold(asked, |filter, (target, level)| {
            let is_asked = filter.would_enable(target, &Level::DEBUG)
                || !filter.would_enable(target, &Level::WARN);
            if is_asked {
                filter
            } else {
                filter.with_target(target, level)
            }
        });
        if filter.would_enable(CHANGES, &Level::INFO) {
            filter
        } else {
            filter.with_target(CHANGES, LevelFilter::INFO)
        }
    }
}

fn is_module(name: &str) -> bool {
    let is_part = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty() && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    name.split("::").all(is_part)
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::read(&Value::Text(text))
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::quoted;

    #[test]
    fn a_filter_is_a_level_and_levels_of_modules() {
        for (text, shown) in [
            ("info", "info"),
            (" WARN ", "warn"),
            ("off", "off"),
            ("info, hyper = Debug", "info,hyper=debug"),
            ("activator_bin::proxy=trace", "activator_bin::proxy=trace"),
            (
                "warn,h2=off,kube-client=error",
                "warn,h2=off,kube-client=error",
            ),
        ] {
            assert_eq!(text.parse::<Filter>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_filter_is_told_what_would_be_right() {
        let check = |text: &str, hint: &str| {
            let found = text.parse::<Filter>().unwrap_err();
            let expected = format!("expected {EXPECTED}, found {}{hint}", quoted(text));
            assert_eq!(found, expected);
        };
        for text in ["", " ", ",", "info,", "=info", "a=", "a:b=info", "a b=info"] {
            check(text, "");
        }
        // A module without a level, or a misspelt one, would turn off everything else.
        check("hyper", "");
        check("a==info", "; did you mean \"info\"?");
        check("inof", "; did you mean \"info\"?");
        check("warn,hyper=debgu", "; did you mean \"debug\"?");
        let long = "info,".repeat(1_000);
        assert_eq!(
            long.parse::<Filter>().unwrap_err(),
            "is longer than 1024 bytes"
        );
    }

    #[test]
    fn a_level_is_that_of_this_programs_modules_and_of_others_at_most_info() {
        let check = |level, text, enabled: &[(&str, Level)], not: &[(&str, Level)]| {
            let filter = Filter::up_to(level);
            assert_eq!(filter.to_string(), text);
            let filter = filter.applied();
            for (target, level) in enabled {
                assert!(filter.would_enable(target, level), "{target} {level}");
            }
            for (target, level) in not {
                assert!(!filter.would_enable(target, level), "{target} {level}");
            }
        };
        let (own, reporter) = ("activator_bin::proxy", "reporter_runtime::task");
        check(
            LevelFilter::DEBUG,
            "info,activator_bin=debug,reporter=debug",
            &[
                (own, Level::DEBUG),
                (reporter, Level::DEBUG),
                ("hyper", Level::INFO),
            ],
            &[
                (own, Level::TRACE),
                ("hyper", Level::DEBUG),
                ("h2", Level::WARN),
            ],
        );
        check(
            LevelFilter::WARN,
            "warn",
            &[
                (own, Level::WARN),
                ("hyper", Level::WARN),
                ("h2", Level::ERROR),
                // Whatever the filter, its changes are logged.
                (CHANGES, Level::INFO),
            ],
            &[
                (own, Level::INFO),
                ("hyper", Level::INFO),
                ("h2", Level::WARN),
            ],
        );
    }
}
