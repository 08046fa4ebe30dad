//! Help, and what is said of wrong usage.

use activator_bin::testing::{Config, Settings};

use super::{activator, printed};

#[test]
fn wrong_usage_exits_with_2() {
    for arguments in [
        &["--colour"][..],
        &["walk"],
        &["run", "extra"],
        &["--workers"],
        &["--workers", "1", "--workers", "2"],
        &["--config", "a.toml", "replay"],
        &["check", "a.toml", "--config", "b.toml"],
    ] {
        let output = activator(arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn help_lists_flags_defaults_and_exit_codes() {
    let help = printed(&["--help"], &[]);
    let run = printed(&["run", "--help"], &[]);
    for setting in Config::settings() {
        let flag = format!("--{} ", setting.flag());
        assert!(help.contains(&flag), "{flag}");
        assert!(run.contains(&flag), "{flag}");
        assert!(run.contains(setting.help), "{}", setting.help);
    }
    for word in [
        "78 invalid configuration",
        "[default: 127.0.0.1:8012]",
        "[default: the machine's cores]",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn help_is_in_colour_only_where_somebody_wants_it() {
    let is_coloured = |variables: &[(&str, &str)]| {
        let output = activator(&["--colour"], variables);
        output.stderr.contains(&b'\x1b')
    };
    assert!(!is_coloured(&[]), "standard error is a pipe");
    let force = ("CLICOLOR_FORCE", "1");
    assert!(is_coloured(&[force]));
    assert!(is_coloured(&[force, ("NO_COLOR", "")]));
    assert!(!is_coloured(&[force, ("NO_COLOR", "0")]));
}
