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
        program.logs(&format!("SIG{signal}: stopping; once more to end at once"));
        program.logs("not ready any more, clients are told to go elsewhere for 1ms");
        program.logs("no new connections, 30s for the requests in flight");
        program.logs("stopped");
        program.ends(0);
    }
}

#[test]
fn second_signal_ends_it_at_once() {
    let program = start(&["--drain-delay", "1h"]);
    program.signal("TERM");
    program.logs("SIGTERM: stopping; once more to end at once");
    program.logs("not ready any more, clients are told to go elsewhere for 3600s");
    program.signal("INT");
    program.logs("SIGINT after that: ending at once");
    program.ends(1);
}
