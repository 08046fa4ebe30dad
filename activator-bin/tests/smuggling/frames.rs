//! The same for HTTP/2: frames in, what comes back, what the backend saw. `frames/script.rs` says how they are written.
//!
//! A stream that fails takes no other with it, and nothing ends more than its own connection: after each case a
//! request is answered on the same connection, if it is still open, and on a new one.

mod backend;
mod client;
mod request;
mod script;

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::case::Outcome;
use crate::directory::Directory;
use crate::{compare, start};
use backend::Backend;
use client::Client;
use script::{Script, Step};

#[track_caller]
fn check(name: &str, least: usize) {
    let backend = Backend::start();
    let directory = Directory::new();
    let (program, address) = start(&directory, &[("hello", backend.address)]);
    compare(&format!("frames/{name}"), least, |case, _| {
        run(&Script::read(&case.sent), address, &backend)
    });
    // Whoever could make it log could fill its disk. Of the backend it may say at any time that it is ready.
    let mut log = program.log();
    log.retain(|line| !line.contains("backend is ready"));
    assert_eq!(log, [""; 0]);
}

fn run(script: &Script, activator: SocketAddr, backend: &Backend) -> Outcome {
    let mut client = Client::connect(activator);
    let mut waited = BTreeSet::new();
    for step in &script.steps {
        match step {
            Step::Send(bytes) => client.send(bytes),
            Step::Wait(streams) => {
                client.wait(streams);
                waited.clone_from(streams);
            }
        }
    }
    let all = &script.opened - &script.given_up;
    client.wait(&all);
    if script.says_goodbye {
        client.wait_for_end();
    } else if client.is_open() {
        let answer = client.ask((script.highest | 1) + 2, "/last");
        assert!(
            !client.is_open() || answer.as_deref() == Some("200 last"),
            "another stream gets {answer:?}"
        );
    }
    let told = match client.was_sent_away() {
        true => &waited,
        false => &all,
    };
    let outcome = client.outcome(told);
    drop(client);
    let answer = Client::begin(activator).ask(1, "/last");
    assert_eq!(answer.as_deref(), Some("200 last"), "on a new connection");
    let address = backend.address.to_string();
    let saw = backend.saw();
    let saw: Vec<_> = saw.iter().map(|request| request.lines(&address)).collect();
    let runs = saw
        .chunk_by(|one, next| one == next)
        .map(|run| match run.len() {
            1 => run[0].clone(),
            times => [vec![format!("{times} times")], run[0].clone()].concat(),
        });
    let runs: Vec<_> = runs.collect();
    let in_words = |line: String| line.replace(&address, "BACKEND");
    Outcome {
        client: outcome.into_iter().map(in_words).collect(),
        backend: runs
            .join(&"--".to_owned())
            .into_iter()
            .map(in_words)
            .collect(),
    }
}

#[test]
fn heads() {
    check("heads", 100);
}

#[test]
fn bodies() {
    check("bodies", 40);
}

#[test]
fn streams() {
    check("streams", 80);
}

#[test]
fn fields() {
    check("fields", 20);
}

#[test]
fn floods() {
    check("floods", 25);
}

#[test]
fn prefaces() {
    check("prefaces", 15);
}
