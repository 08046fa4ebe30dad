//! Colours in the log: for people who want them.

use crate::program::{FREE, Program, activator};

#[test]
fn the_log_is_in_colour_only_where_somebody_wants_it() {
    let is_coloured = |variables: &[(&str, &str)], format: &str| {
        let mut command = activator(FREE);
        command.args(["--log-format", format]);
        let program = Program::start(command.envs(variables.iter().copied()));
        let line = program.logs("serving, try: ");
        program.signal("TERM");
        program.logs_at_last("stopped");
        program.ends(0);
        line.contains('\x1b')
    };
    assert!(!is_coloured(&[], "text"), "standard error is a pipe");
    let force = ("CLICOLOR_FORCE", "1");
    assert!(is_coloured(&[force], "text"));
    assert!(is_coloured(&[force, ("NO_COLOR", "")], "text"));
    assert!(!is_coloured(&[force, ("NO_COLOR", "0")], "text"));
    assert!(!is_coloured(&[force], "json"));
}
