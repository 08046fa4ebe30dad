//! The command line of the program: what it prints, where, and with which exit code.

use std::path::PathBuf;
use std::process::{Command, Output};

mod check;
mod config;
mod results;
mod usage;

fn activator(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = command(arguments);
    command.envs(variables.iter().copied());
    command.output().expect("it starts and ends")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_activator"));
    command.args(arguments).env_clear();
    command
}

/// What a command that succeeds prints.
#[track_caller]
fn printed(arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let output = activator(arguments, variables);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn check(arguments: &[&str], variables: &[(&str, &str)], code: i32, stderr: &str) {
    let output = activator(arguments, variables);
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        stderr,
        "{arguments:?}"
    );
    assert_eq!(output.status.code(), Some(code), "{arguments:?}");
}

fn file(name: &str, content: &str) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the directory is there to be written to");
    path.into_os_string().into_string().expect("UTF-8")
}
