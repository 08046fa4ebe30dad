//! Results on standard output: completions, the manual page, the version.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use activator_bin::testing::{Config, Settings};
use serde_json::Value;

use super::{command, file, printed};

/// Commands that only print.
const PRINTING: [&[&str]; 8] = [
    &["--help"],
    &["help", "check"],
    &["--version"],
    &["version"],
    &["completions", "bash"],
    &["man"],
    &["config", "default"],
    &["config", "show"],
];

#[test]
fn the_version_is_that_of_the_package() {
    let version = env!("CARGO_PKG_VERSION");
    let line = format!("activator {version}\n");
    assert_eq!(printed(&["--version"], &[]), line);
    assert!(printed(&["version"], &[]).starts_with(&line));
    let json: Value = serde_json::from_str(&printed(&["version", "--json"], &[])).expect("JSON");
    assert_eq!(json["version"], version);
    let target = json["target"].as_str().expect("a text");
    assert!(target.starts_with(std::env::consts::ARCH), "{target}");
    let compiler = json["rustc"].as_str().expect("a text");
    assert!(compiler.starts_with("rustc "), "{compiler}");
    assert!(json["features"].is_array());
    assert_eq!(json["knative_serving"], "1.15");
}

/// The program of this name, if the machine has it.
fn program(name: &str) -> Option<Command> {
    let folders = ["/usr/local/bin", "/usr/bin", "/bin"];
    let mut paths = folders.iter().map(|folder| Path::new(folder).join(name));
    paths.find(|path| path.exists()).map(Command::new)
}

#[test]
fn shells_parse_their_completions() {
    let shells: [(&str, Option<&[&str]>); 5] = [
        ("bash", Some(&["-n"])),
        ("zsh", Some(&["-n"])),
        ("fish", Some(&["--no-execute"])),
        ("elvish", Some(&["-compileonly"])),
        ("powershell", None),
    ];
    for (shell, parse) in shells {
        let script = printed(&["completions", shell], &[]);
        for word in ["listen-http", "replay", "kubeconfig"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
        // What only the activator itself starts.
        assert!(!script.contains("echo server"), "{shell}");
        let path = file(&format!("completions.{shell}"), &script);
        if let (Some(mut program), Some(parse)) = (program(shell), parse) {
            let output = program.args(parse).arg(path).output().expect("it runs");
            let complaints = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{shell}: {complaints}");
            assert_eq!(complaints, "", "{shell}");
        }
    }
}

#[test]
fn bash_completes_commands_and_flags() {
    let Some(mut bash) = program("bash") else {
        return;
    };
    let script = file("complete.bash", &printed(&["completions", "bash"], &[]));
    let complete = r#"
        source "$0"
        complete() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _activator activator "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}"
        }
        complete activator comp
        complete activator completions ba
        complete activator check --listen-a
        complete activator ech
    "#;
    let output = bash.args(["-c", complete, &script]).output();
    let output = output.expect("it runs");
    let expected = "completions\nbash\n--listen-admin\n\n";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn the_manual_page_has_every_setting_and_is_formatted_without_complaints() {
    let page = printed(&["man"], &[]);
    // Hyphens are escaped, or they would be typeset as dashes.
    let plain = page.replace('\\', "");
    for setting in Config::settings() {
        for variable in setting.variables() {
            assert!(plain.contains(&variable), "{variable}");
        }
        let flag = format!("--{}", setting.flag());
        assert!(plain.contains(&flag), "{flag}");
    }
    let path = file("activator.1", &page);
    let formatters: [(&str, &[&str]); 2] = [
        ("groff", &["-man", "-ww", "-z", "-Tutf8"]),
        ("mandoc", &["-Tlint", "-Werror"]),
    ];
    for (name, arguments) in formatters {
        if let Some(mut formatter) = program(name) {
            let output = formatter.args(arguments).arg(&path).output();
            let output = output.expect("it runs");
            let complaints = [output.stdout, output.stderr].concat();
            assert_eq!(String::from_utf8_lossy(&complaints), "", "{name}");
        }
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for arguments in PRINTING {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = command(arguments);
        let output = command.stdout(writer).output();
        let output = output.expect("it starts and ends");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_is_a_failure() {
    for arguments in PRINTING {
        let full = File::options().write(true).open("/dev/full");
        let mut command = command(arguments);
        let output = command.stdout(full.expect("Linux has it")).output();
        let output = output.expect("it starts and ends");
        let said = String::from_utf8_lossy(&output.stderr);
        let expected = "activator: standard output: No space left on device (os error 28)\n";
        assert_eq!(said, expected, "{arguments:?}");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
}
