//! Starting, and what can be in the way.

use std::path::PathBuf;

use activator_bin::testing::{Activator, JsonLinesConfig, Options, SinkConfig};

use crate::support::activator::{Ask, config, echo, start, start_with};
use crate::support::http1::HELLO;

#[tokio::test]
async fn echo_server_returns_request_and_body() {
    let activator = start_with(echo());
    let mut client = activator.connect().await;
    let answer = client.get("/a?b").await;
    assert_eq!((answer.status(), &*answer.body), (200, "GET /a?b\n"));
    let answer = client
        .ask(&format!(
            "POST / HTTP/1.1\r\n{HELLO}Content-Type: text/x\r\nContent-Length: 3\r\n\r\nabc"
        ))
        .await;
    assert_eq!((answer.status(), &*answer.body), (200, "abc"));
    assert_eq!(answer.header("content-type"), Some("text/x"));
}

#[tokio::test]
async fn taken_port_is_named_with_its_setting() {
    let first = start(&[]);
    // Also when it is another activator that has it, although listeners could share it.
    let http2 = first.http2_addr().unwrap();
    for (setting, address) in [
        ("http", first.http_addr()),
        ("http2", http2),
        ("admin", first.admin_addr()),
    ] {
        let mut config = config(&[]);
        match setting {
            "http" => config.listen.http = address,
            "http2" => config.listen.http2 = Some(address),
            _ => config.listen.admin = address,
        }
        let error = Activator::start(config, Options::default()).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!("cannot listen on {address}: address in use; change `{setting}` in `[listen]`")
        );
    }
}

#[tokio::test]
async fn unopenable_sink_is_named() {
    let mut config = config(&[]);
    config.sinks = vec![SinkConfig::JsonLines(JsonLinesConfig {
        path: Some(PathBuf::from("/nowhere/at/all")),
    })];
    let error = Activator::start(config, Options::default()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot append to /nowhere/at/all: entity not found; change `path` of the `[[sink]]`"
    );
}

#[tokio::test]
async fn sink_appends_to_its_file() {
    let path = std::env::temp_dir().join(format!("activator-sink-{}", std::process::id()));
    std::fs::write(&path, "before\n").unwrap();
    let mut config = echo();
    config.sinks = vec![SinkConfig::JsonLines(JsonLinesConfig {
        path: Some(path.clone()),
    })];
    let activator = start_with(config);
    let mut client = activator.connect().await;
    client.get("/").await;
    activator.stop().await;
    let lines = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let mut lines = lines.lines();
    assert_eq!(lines.next(), Some("before"));
    let first = lines.next().unwrap();
    assert!(
        first.contains(r#""cause":"first_request","messages":[{"key":"default/hello""#),
        "{first}"
    );
}
