//! The request log on standard output.

use std::io::{BufRead, BufReader, Write, pipe};

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
            .args(["--request-log", TEMPLATE])
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
    let text = format!("request_log = '{{{{.Request.RequestURI}}}}{padding}|'\n");
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
    let told = program.logs("request log lines dropped: standard output did not accept them");
    let (_, dropped) = told.rsplit_once("lines=").unwrap();
    program.stop();
    assert_eq!(
        reading.join().unwrap() + dropped.parse::<usize>().unwrap(),
        REQUESTS
    );
}
