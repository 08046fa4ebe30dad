//! The access log on standard output and in files.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write, pipe};
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value as Json;

use crate::directory::Directory;
use crate::program::{FREE, Program, activator};
use crate::sockets::{HELLO, ask, connect};

/// Of the example that Knative gives.
const TEMPLATE: &str = r#"{"httpRequest": {"requestMethod": "{{.Request.Method}}", "requestUrl": "{{js .Request.RequestURI}}", "requestSize": "{{.Request.ContentLength}}", "status": {{.Response.Code}}, "responseSize": "{{.Response.Size}}", "userAgent": "{{js .Request.UserAgent}}", "serverIp": "{{.Revision.PodIP}}", "referer": "{{js .Request.Referer}}", "protocol": "{{.Request.Proto}}"}, "traceId": "{{index .Request.Header "X-B3-Traceid"}}"}"#;

/// The line for a GET request of `target`.
fn line(target: &str, status: u16, size: usize) -> String {
    format!(
        r#"{{"httpRequest": {{"requestMethod": "GET", "requestUrl": "{target}", "requestSize": "0", "status": {status}, "responseSize": "{size}", "userAgent": "", "serverIp": "", "referer": "", "protocol": "HTTP/1.1"}}, "traceId": "[]"}}"#
    )
}

#[test]
fn lines_are_written_and_the_last_ones_before_the_end() {
    let (reader, stdout) = pipe().unwrap();
    let program = Program::start(
        activator(FREE)
            .args(["--access-log-format", TEMPLATE])
            // Its reports go to standard output as well.
            .args(["--reporter-interval", "1h"])
            .stdout(stdout),
    );
    let address = program.serves();
    let mut lines = BufReader::new(reader).lines().map_while(Result::ok);
    let mut next = || {
        lines
            .by_ref()
            .find(|line| line.contains("httpRequest"))
            .unwrap()
    };
    let length = |response: String| response.split_once("\r\n\r\n").unwrap().1.len();
    let size = length(ask(connect(address), HELLO, "/a?b=c"));
    assert_eq!(next(), line(r"/a?b\u003Dc", 200, size));
    let size = length(ask(
        connect(address),
        "other.default.svc.cluster.local",
        "/\"x",
    ));
    assert_eq!(next(), line(r#"/\"x"#, 404, size));
    for _ in 0..100 {
        ask(connect(address), HELLO, "/");
    }
    program.stop();
    let all = (0..100).all(|_| next() == line("/", 200, "GET /\n".len()));
    assert!(all);
    assert!(
        lines
            .next()
            .is_none_or(|line| !line.contains("httpRequest"))
    );
}

#[test]
fn unread_lines_delay_nothing_and_those_that_are_dropped_are_counted() {
    const REQUESTS: usize = 500;
    let (reader, stdout) = pipe().unwrap();
    let directory = Directory::new();
    // As long as lines may be: they soon fill the queue.
    let padding = "{{printf \"%-1000s\" \"\"}}".repeat(15);
    let text = format!("[access_log]\nformat = '{{{{.Request.RequestURI}}}}{padding}|'\n");
    let file = directory.write("activator.toml", &text);
    let program = Program::start(activator(FREE).arg("--config").arg(file).stdout(stdout));
    let mut client = connect(program.serves());
    let mut responses = BufReader::new(client.try_clone().unwrap()).lines();
    for number in 0..REQUESTS {
        let request = format!("GET /{number} HTTP/1.1\r\nHost: {HELLO}\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let status = responses.find(|line| line.as_ref().unwrap().starts_with("HTTP/1.1 "));
        assert!(status.unwrap().unwrap().contains(" 404 "));
    }
    drop(responses);
    drop(client);
    let reading = std::thread::spawn(move || {
        let lines = BufReader::new(reader).lines().map_while(Result::ok);
        lines
            .filter(|line| line.starts_with('/') && line.ends_with(" |"))
            .count()
    });
    let told = program.logs("access log lines dropped: standard output did not accept them");
    let (_, dropped) = told.rsplit_once("lines=").unwrap();
    program.stop();
    assert_eq!(
        reading.join().unwrap() + dropped.parse::<usize>().unwrap(),
        REQUESTS
    );
}

/// A program whose access log is JSON in the file at `path`.
fn with_file(path: &Path) -> Command {
    let mut command = activator(FREE);
    command.args(["--access-log-format", "json", "--access-log-path"]);
    command.arg(path).args(["--reporter-interval", "1h"]);
    command.stdout(std::process::Stdio::null());
    command
}

/// Sends requests for `/<name>/0` and so on over one connection while `go` says so. Returns how many.
fn load(address: SocketAddr, name: &str, go: impl Fn(usize) -> bool) -> usize {
    let mut client = connect(address);
    let mut responses = BufReader::new(client.try_clone().unwrap()).lines();
    let mut sent = 0;
    while go(sent) {
        // No revision has this host.
        let request = format!("GET /{name}/{sent} HTTP/1.1\r\nHost: nobody\r\n\r\n");
        client.write_all(request.as_bytes()).unwrap();
        let is_status = |line: &String| line.starts_with("HTTP/1.1 ");
        let status = responses.find(|line| is_status(line.as_ref().unwrap()));
        assert!(status.unwrap().unwrap().contains(" 404 "));
        sent += 1;
    }
    sent
}

/// The targets in the lines of these files, none of which is torn or repeated.
fn targets<'a>(files: impl IntoIterator<Item = &'a Path>) -> BTreeSet<String> {
    let mut targets = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(file).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        for line in text.lines() {
            let line: Json = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            assert_eq!(line["status"], 404);
            assert!(
                targets.insert(line["uri"].as_str().unwrap().to_owned()),
                "{line}"
            );
        }
    }
    targets
}

fn expected(name: &str, count: usize) -> BTreeSet<String> {
    (0..count)
        .map(|number| format!("/{name}/{number}"))
        .collect()
}

#[test]
fn a_file_that_is_rotated_under_load_loses_and_tears_no_line() {
    let directory = Directory::new();
    let path = directory.path("access.log");
    let program = Program::start(&mut with_file(&path));
    let address = program.serves();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
    let mut files = vec![path.clone()];
    let go = AtomicBool::new(true);
    let counts = std::thread::scope(|scope| {
        let go = &go;
        let clients = ["a", "b", "c"].map(|name| {
            scope.spawn(move || (name, load(address, name, |_| go.load(Ordering::Relaxed))))
        });
        for number in 0..10 {
            let old = directory.path(&format!("access.log.{number}"));
            fs::rename(&path, &old).unwrap();
            program.signal("HUP");
            program.logs_at_last("for access log lines");
            // It is in use.
            while fs::metadata(&path).unwrap().len() == 0 {
                std::thread::yield_now();
            }
            files.push(old);
        }
        go.store(false, Ordering::Relaxed);
        clients.map(|client| client.join().unwrap())
    });
    program.stop_at_last();
    let all = counts
        .iter()
        .flat_map(|(name, count)| expected(name, *count));
    assert_eq!(targets(files.iter().map(|path| &**path)), all.collect());
}

#[test]
fn two_processes_append_to_one_file() {
    let directory = Directory::new();
    let path = directory.path("access.log");
    let programs = ["a", "b"].map(|name| (name, Program::start(&mut with_file(&path))));
    std::thread::scope(|scope| {
        for (name, program) in &programs {
            let address = program.serves();
            scope.spawn(move || load(address, name, |sent| sent < 500));
        }
    });
    for (_, program) in programs {
        program.stop();
    }
    let both = &expected("a", 500) | &expected("b", 500);
    assert_eq!(targets([&*path]), both);
}

#[test]
fn a_full_disk_is_told_once_and_lines_wait_for_room() {
    let directory = Directory::new();
    let (path, good) = (directory.path("access.log"), directory.path("good"));
    symlink("/dev/full", &path).unwrap();
    let program = Program::start(&mut with_file(&path));
    let address = program.serves();
    assert_eq!(load(address, "a", |sent| sent < 100), 100);
    let shown = path.display();
    let line = program.logs("cannot write access log lines to ");
    assert!(
        line.contains(&format!("{shown}, trying again every 1s")),
        "{line}"
    );
    assert!(line.contains("No space left on device"), "{line}");
    fs::remove_file(&path).unwrap();
    symlink(&good, &path).unwrap();
    program.signal("HUP");
    program.logs_at_last(&format!("SIGHUP: reopened {shown} for access log lines"));
    program.logs_at_last(&format!("can write access log lines to {shown} again"));
    assert_eq!(load(address, "b", |sent| sent < 10), 10);
    program.stop_at_last();
    let all = &expected("a", 100) | &expected("b", 10);
    assert_eq!(targets([&*good]), all);
}

#[test]
fn a_pipe_gets_its_lines_once_it_has_a_reader() {
    let directory = Directory::new();
    let path = directory.path("access.log");
    assert!(
        Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let program = Program::start(&mut with_file(&path));
    let address = program.serves();
    assert_eq!(load(address, "a", |sent| sent < 10), 10);
    program.logs("the pipe has no reader");
    let mut reader = fs::File::open(&path).unwrap();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).map(|_| text)
    });
    program.logs("can write access log lines to ");
    program.stop();
    let read = directory.write("read", &reading.join().unwrap().unwrap());
    assert_eq!(targets([&*read]), expected("a", 10));
}

#[test]
fn a_file_that_cannot_be_opened_ends_the_start_and_later_the_old_one_is_kept() {
    let directory = Directory::new();
    let missing = directory.path("missing/access.log");
    let program = Program::start(&mut with_file(&missing));
    let told = format!(
        "cannot append to {}: entity not found; change `path` in `[access_log]`",
        missing.display()
    );
    program.logs(&told);
    program.ends(1);
    let program = Program::start(&mut with_file(&directory.path(".")));
    program.logs("is a directory; change `path` in `[access_log]`");
    program.ends(1);

    fs::create_dir(directory.path("missing")).unwrap();
    let program = Program::start(&mut with_file(&missing));
    let address = program.serves();
    let moved = directory.path("moved");
    fs::rename(directory.path("missing"), &moved).unwrap();
    program.signal("HUP");
    program.logs_at_last("access log lines still go to the old file: ");
    assert_eq!(load(address, "a", |sent| sent < 10), 10);
    program.stop_at_last();
    assert_eq!(targets([&*moved.join("access.log")]), expected("a", 10));
}
