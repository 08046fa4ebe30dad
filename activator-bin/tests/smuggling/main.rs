//! Hostile messages against the program itself: raw bytes in, what the client gets, what the backend saw.
//!
//! The cases are data, in the text files beside this one. `case.rs` says how they are written.
//! With `UPDATE_SMUGGLING=1` what happens is written into them instead of compared: read the diff.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod answers;
#[path = "../support/case.rs"]
mod case;
mod client;
#[path = "../support/directory.rs"]
mod directory;
#[path = "../support/frame.rs"]
mod frame;
mod frames;
#[path = "../support/program.rs"]
#[expect(dead_code, reason = "the program is started in one way")]
mod program;
#[path = "../support/recorder.rs"]
mod recorder;
mod requests;
#[path = "../support/strict.rs"]
mod strict;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use case::{Case, Outcome};
use client::Client;
use directory::Directory;
use program::{FREE, Program, activator};
use recorder::Recorder;
use requests::requests;

/// Compares what `run` makes of each case of a file, one after the other, with what it says there.
#[track_caller]
fn compare(name: &str, least: usize, mut run: impl FnMut(&Case, Option<&Outcome>) -> Outcome) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/smuggling")
        .join(format!("{name}.txt"));
    let text = std::fs::read_to_string(&path).unwrap();
    let (intro, cases) = case::parse(&text);
    assert!(cases.len() >= least, "only {} cases in {name}", cases.len());
    let update = std::env::var_os("UPDATE_SMUGGLING").is_some();
    let (mut written, mut differing) = (intro, String::new());
    for case in &cases {
        // Printed with a failure only.
        println!("{}", case.name);
        let expected = (!update).then_some(&case.outcome);
        let found = run(case, expected);
        if found != case.outcome {
            writeln!(
                differing,
                "# {}\nexpected\n{}found\n{found}",
                case.name, case.outcome
            )
            .unwrap();
        }
        writeln!(written, "{}{found}", case.input).unwrap();
    }
    if update {
        std::fs::write(path, written.trim_end().to_owned() + "\n").unwrap();
    } else {
        assert!(differing.is_empty(), "in {name}.txt:\n{differing}");
    }
}

/// Starts the program with `revisions` of the namespace default, each on its backend. Returns where it serves.
fn start(directory: &Directory, revisions: &[(&str, SocketAddr)]) -> (Program, SocketAddr) {
    let mut text = "workers = 1\ncluster_domain = \"c\"\n".to_owned();
    for (name, backend) in revisions {
        text += &format!(
            "[[revision]]\nnamespace = \"default\"\nname = \"{name}\"\n\
             probe = \"none\"\nbackends = [\"{backend}\"]\n"
        );
    }
    let file = directory.write("activator.toml", &text);
    let program = Program::start(activator(FREE).arg("--config").arg(file));
    let address = program.serves();
    (program, address)
}

/// Runs all cases of a file against one activator.
#[track_caller]
fn check(name: &str, least: usize) {
    let (backend, last) = (Recorder::start(case::OK), Recorder::start(case::LAST_OK));
    let revisions = [("hello", backend.address), ("last", last.address)];
    let directory = Directory::new();
    let (_program, address) = start(&directory, &revisions);
    compare(name, least, |case, expected| {
        run(case, expected, address, &backend)
    });
}

fn run(
    case: &Case,
    expected: Option<&Outcome>,
    activator: SocketAddr,
    backend: &Recorder,
) -> Outcome {
    backend.respond_with(&case.answer);
    let mut client = Client::connect(activator);
    client.send(&case.bytes());
    let mut client_got = client.answers(expected.map(|outcome| &*outcome.client));
    if client_got.last().is_some_and(|line| line == "open") {
        // A request more shows whether both sides agree on where the case's messages end.
        client.send(case::LAST);
        let answer = client.one_answer();
        if answer != "200 last" {
            client_got.push(format!("and the next request gets {answer}"));
        }
    }
    drop(client);
    let saw = requests(backend);
    Outcome {
        client: redact(client_got, backend),
        backend: redact(saw, backend),
    }
}

/// Replaces what differs from run to run.
fn redact(lines: Vec<String>, backend: &Recorder) -> Vec<String> {
    let address = backend.address.to_string();
    let redacted = lines
        .into_iter()
        .map(|line| line.replace(&address, "BACKEND"));
    redacted.collect()
}

#[test]
fn lengths() {
    check("lengths", 20);
}

#[test]
fn codings() {
    check("codings", 15);
}

#[test]
fn chunks() {
    check("chunks", 15);
}

#[test]
fn lines() {
    check("lines", 15);
}

#[test]
fn targets() {
    check("targets", 20);
}

#[test]
fn connection() {
    check("connection", 8);
}

#[test]
fn pipelines() {
    check("pipelines", 8);
}

#[test]
fn answers_of_backends() {
    check("answers", 15);
}
