//! Signals that end the program.

use crate::program::{FREE, Program, activator};

fn start(arguments: &[&str]) -> Program {
    let program = Program::start(activator(FREE).args(arguments));
    program.logs("serving, try: ");
    program
}

#[test]
fn signal_shuts_down_gracefully() {
    for signal in ["TERM", "INT"] {
        let program = start(&["--drain-delay", "1ms"]);
        program.signal(signal);
        program.logs(&format!(
            "SIG{signal}: stopping; a second signal exits at once"
        ));
        program.logs("no longer ready; asking clients to go elsewhere for 1ms");
        program.logs("no longer accepting connections; requests in flight have 30s to end");
        program.logs("stopped");
        program.ends(0);
    }
}

#[test]
fn second_signal_ends_it_at_once() {
    let program = start(&["--drain-delay", "1h"]);
    program.signal("TERM");
    program.logs("SIGTERM: stopping; a second signal exits at once");
    program.logs("no longer ready; asking clients to go elsewhere for 3600s");
    program.signal("INT");
    program.logs("SIGINT: second signal, exiting at once");
    program.ends(1);
}
