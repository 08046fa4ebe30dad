//! Hostile messages against the program itself: raw bytes in, what the client gets, what the backend saw.
//!
//! The cases are data, in the text files beside this one. `case.rs` says how they are written.
//! With `UPDATE_SMUGGLING=1` what happens is written into them instead of compared: read the diff.
#![expect(clippy::unwrap_used, reason = "in a test an unwrap is an assertion")]

mod activator;
mod answers;
mod backend;
mod case;
mod client;
mod frames;
mod request;

use std::fmt::Write as _;
use std::path::PathBuf;

use activator::Activator;
use backend::Backend;
use case::{Case, Outcome};
use client::Client;

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

/// Runs all cases of a file against one activator.
#[track_caller]
fn check(name: &str, least: usize) {
    let (backend, last) = (Backend::start(), Backend::start());
    last.answer_with(case::LAST_OK.to_vec());
    let revisions = [("hello", backend.address), ("last", last.address)];
    let activator = Activator::start(name, &revisions);
    compare(name, least, |case, expected| {
        run(case, expected, &activator, &backend)
    });
}

fn run(
    case: &Case,
    expected: Option<&Outcome>,
    activator: &Activator,
    backend: &Backend,
) -> Outcome {
    backend.answer_with(case.answer.clone());
    let mut client = Client::connect(activator.http);
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
    let saw = backend.saw();
    Outcome {
        client: redact(client_got, backend),
        backend: redact(saw, backend),
    }
}

/// Replaces what differs from run to run.
fn redact(lines: Vec<String>, backend: &Backend) -> Vec<String> {
    let address = backend.address.to_string();
    let redacted = lines
        .into_iter()
        .map(|line| line.replace(&address, "BACKEND"));
    redacted.collect()
}

#[test]
fn the_length_of_a_request_is_clear_or_the_request_is_refused() {
    check("lengths", 20);
}

#[test]
fn a_transfer_coding_is_chunked_alone_or_the_request_is_refused() {
    check("codings", 15);
}

#[test]
fn chunks_are_passed_on_in_the_plainest_form_or_not_at_all() {
    check("chunks", 15);
}

#[test]
fn lines_of_a_head_are_what_they_seem_or_the_request_is_refused() {
    check("lines", 15);
}

#[test]
fn targets_hosts_and_versions_mean_one_thing_or_the_request_is_refused() {
    check("targets", 20);
}

#[test]
fn headers_that_a_connection_lists_cannot_take_away_what_matters() {
    check("connection", 8);
}

#[test]
fn what_follows_a_message_is_a_message_of_its_own() {
    check("pipelines", 8);
}

#[test]
fn answers_of_hostile_backends_are_clear_or_not_passed_on() {
    check("answers", 15);
}
