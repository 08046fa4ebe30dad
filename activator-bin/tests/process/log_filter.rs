//! The log filter of the running program: SIGUSR1, the admin port, and a new file.

use std::io::{Read, Write};
use std::net::SocketAddr;

use serde_json::{Value as Json, json};

use crate::directory::Directory;
use crate::program::{Program, activator_with_sockets};
use crate::sockets::{connect, listener};

const DEBUG: &str = "info,activator_bin=debug,reporter=debug";

struct Activator {
    program: Program,
    admin: SocketAddr,
    directory: Directory,
}

impl Activator {
    fn start(text: &str, write: bool) -> Self {
        let directory = Directory::new();
        let file = directory.write("activator.toml", text);
        let ((http, _), (admin, address)) = (listener(), listener());
        let mut command = activator_with_sockets("http:admin", http, admin);
        command.arg("--config").arg(file);
        command.args(["--admin-write", &write.to_string()]);
        let program = Program::start(&mut command);
        let activator = Self {
            program,
            admin: address,
            directory,
        };
        // It serves.
        activator.changes("GET", "", "");
        activator
    }

    /// The status and the body of the response to a request for `/v1/log`.
    fn ask(&self, method: &str, query: &str, body: &str) -> (u16, String) {
        let mut stream = connect(self.admin);
        let length = body.len();
        let request = format!(
            "{method} /v1/log{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    #[track_caller]
    fn changes(&self, method: &str, query: &str, body: &str) -> Json {
        let (status, body) = self.ask(method, query, body);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    #[track_caller]
    fn shows(&self, log: &str, by: &str, configured: &str) {
        let expected = json!({"log": log, "by": by, "until": null, "configured": configured});
        assert_eq!(self.changes("GET", "", ""), expected);
    }

    #[track_caller]
    fn logs_change(&self, by: &str, from: &str, to: &str) {
        let line = self.program.logs_at_last("log filter");
        let expected = format!("log filter changed by=\"{by}\" from={from} to={to}");
        assert!(line.contains(&expected), "{expected} in {line}");
    }
}

#[test]
fn a_signal_switches_to_debug_and_back() {
    let activator = Activator::start("log = 'error'\nrevision = []\n", false);
    activator.program.signal("USR1");
    activator.logs_change("SIGUSR1", "error", DEBUG);
    activator.shows(DEBUG, "signal", "error");
    activator.program.signal("USR1");
    // Logged although the filter leaves out everything below an error.
    activator.logs_change("SIGUSR1", DEBUG, "error");
    activator.shows("error", "configuration", "error");
    activator.program.signal("TERM");
    activator.program.ends(0);
}

#[test]
fn the_admin_port_sets_it_for_a_time_or_until_further_notice() {
    let activator = Activator::start("", true);
    activator.shows("info", "configuration", "info");
    let set = |query, log| activator.changes("PUT", query, &json!({"log": log}).to_string());
    let expected =
        json!({"log": "warn,hyper=debug", "by": "admin", "until": null, "configured": "info"});
    assert_eq!(set("", "warn, hyper=DEBUG"), expected);
    activator.logs_change("the admin port", "info", "warn,hyper=debug");
    // What is set counts more than a signal that came before.
    activator.program.signal("USR1");
    activator.logs_change("SIGUSR1", "warn,hyper=debug", DEBUG);
    let until = set("?for=10m", "error")["until"].to_string();
    assert!(
        until.starts_with("\"20") && until.ends_with("Z\""),
        "{until}"
    );
    activator.logs_change("the admin port", DEBUG, "error for=\"10m\"");
    set("?for=1s", "off");
    activator.logs_change("the admin port", "error", "off for=\"1s\"");
    activator.logs_change("its time is over", "off", "info");
    activator.shows("info", "configuration", "info");
    set("", "debug");
    activator.logs_change("the admin port", "info", "debug");
    activator.changes("DELETE", "", "");
    activator.logs_change("the admin port", "debug", "info");
    activator.program.stop_at_last();
}

#[test]
fn a_new_file_acts_at_once_unless_something_else_was_set() {
    let activator = Activator::start("", true);
    let write = |text| activator.directory.write("activator.toml", text);
    write("log = 'warn'\n");
    activator.logs_change("the configuration", "info", "warn");
    activator.changes("PUT", "", "{\"log\": \"info\"}");
    activator.logs_change("the admin port", "warn", "info");
    write("log = 'error'\n");
    let line = activator.program.logs_at_last("log filter");
    let told = "the log filter in force stays: it was set through the admin port or by SIGUSR1 \
        by=\"the configuration\" filter=error";
    assert!(line.contains(told), "{line}");
    activator.shows("info", "admin", "error");
    write("");
    activator
        .program
        .logs_at_last("the log filter in force stays");
    activator.changes("DELETE", "", "");
    activator.shows("info", "configuration", "info");
    activator.program.stop_at_last();
}

#[test]
fn a_change_that_is_wrong_or_not_allowed_changes_nothing() {
    let activator = Activator::start("", false);
    let good = "{\"log\": \"debug\"}";
    for (method, body) in [("PUT", good), ("DELETE", "")] {
        let (status, why) = activator.ask(method, "", body);
        let expected =
            "changes through the admin port are disabled; [admin] write = true enables them\n";
        assert_eq!((status, why.as_str()), (403, expected));
    }
    activator.program.stop_at_last();
    let activator = Activator::start("", true);
    let long = format!("{{\"log\": \"{}\"}}", "info,".repeat(1_000));
    for (query, body, status, why) in [
        ("", "{\"log\": \"debgu\"}", 400, "did you mean \"debug\"?"),
        (
            "",
            "debug",
            400,
            "expected an object like {\"log\": \"info,hyper=debug\"}",
        ),
        ("", &long, 413, "the body is larger than 4 KiB"),
        (
            "?for=1ms",
            good,
            400,
            "for: expected a duration with its unit, \"1s\" to \"30d\", found \"1ms\"",
        ),
        (
            "?until=1h",
            good,
            400,
            "the only parameter is for, as in ?for=10m",
        ),
    ] {
        let (found, text) = activator.ask("PUT", query, body);
        assert_eq!(found, status, "{text}");
        assert!(text.contains(why), "{why:?} in {text:?}");
    }
    assert_eq!(activator.ask("POST", "", good).0, 405);
    activator.shows("info", "configuration", "info");
    activator.program.stop_at_last();
}
