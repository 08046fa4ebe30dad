//! What the log says at the start: a request to try, and whether clients may choose any revision.

use std::process::Command;

use crate::directory::Directory;
use crate::program::{ACTIVATOR, Program};

const HERE: &str = "127.0.0.1:0";
const EVERYWHERE: &str = "0.0.0.0:0";

/// The lines of the log up to the one that says where requests are served, without what stands before each message.
fn lines(http: &str, http2: &str, file: &str, flags: &[&str]) -> Vec<String> {
    let directory = Directory::new();
    let mut command = Command::new(ACTIVATOR);
    command
        .env_clear()
        .args(["--listen-http", http, "--listen-http2", http2])
        .args(["--listen-admin", HERE, "--config"])
        .arg(directory.write("activator.toml", file))
        .args(flags);
    let program = Program::start(&mut command);
    let mut lines = Vec::new();
    loop {
        let line = program.next_line();
        let (_, message) = line.split_once("activator_bin::run::first_look: ").unwrap();
        let (message, address) = message.rsplit_once("127.0.0.1").unwrap_or((message, ""));
        lines.push(message.to_owned());
        if !address.is_empty() {
            program.stop();
            return lines;
        }
    }
}

fn revision(more: &str) -> String {
    format!("[[revision]]\nnamespace = 'ns'\nname = 'r'\nbackends = []\n{more}\n")
}

const WARNING: &str = "clients may choose any revision, whatever its hosts, by Knative's headers or a Host like name.namespace.svc: set trust_knative_headers = false, or true if that is meant";

#[test]
fn hosts_that_do_not_bind_clients_elsewhere_are_warned_of_once() {
    let hosts = revision("hosts = ['*.app.localhost']");
    let serving = "serving, try: curl -H 'Host: any.app.localhost' http://";
    let check = |http, http2, file: &str, flags: &[&str], expected: &[&str]| {
        assert_eq!(lines(http, http2, file, flags), expected);
    };
    check(EVERYWHERE, "off", &hosts, &[], &[WARNING, serving]);
    check(HERE, EVERYWHERE, &hosts, &[], &[WARNING, serving]);
    check(HERE, HERE, &hosts, &[], &[serving]);
    for answer in ["true", "false"] {
        let flags = ["--trust-knative-headers", answer];
        check(EVERYWHERE, "off", &hosts, &flags, &[serving]);
    }
}

#[test]
fn the_request_to_try_is_one_that_finds_a_revision() {
    let check = |file: &str, trust: &str, expected: &str| {
        let flags = ["--trust-knative-headers", trust];
        assert_eq!(lines(HERE, "off", file, &flags), [expected]);
    };
    let named = "serving, try: curl -H 'Knative-Serving-Namespace: ns' -H 'Knative-Serving-Revision: r' http://";
    check(&revision(""), "true", named);
    let nothing = "serving on http://";
    check(&revision(""), "false", nothing);
    let any = "serving, try: curl http://";
    check(&revision("hosts = ['*']"), "true", any);
    let other = revision("hosts = ['app.localhost']").replace("'r'", "'other'");
    let host = "serving, try: curl -H 'Host: app.localhost' http://";
    check(&(revision("") + &other), "false", host);
}
