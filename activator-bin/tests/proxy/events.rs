//! `/v1/events` on the admin port.

use std::time::Duration;

use activator_bin::testing::{Activator, HostPattern};
use serde_json::Value as Json;
use tokio::time::timeout;

use crate::support::activator::{
    Ask, PATIENCE, change, config, echo, put, scene, start, start_with,
};
use crate::support::http1::{Client, OK, get};

/// A reader of events.
struct Reader {
    client: Client,
    /// What was read of the event that has not ended.
    text: String,
}

/// An event: its name, and its data.
type Event = (String, Json);

impl Reader {
    async fn open(activator: &Activator, host: &str) -> Self {
        let mut client = Client::connect(activator.admin_addr()).await;
        client
            .send(format!("GET /v1/events HTTP/1.1\r\nHost: {host}\r\n\r\n"))
            .await;
        let head = client.head().await;
        assert_eq!(head.status(), 200);
        assert_eq!(head.header("content-type"), Some("text/event-stream"));
        assert_eq!(head.header("cache-control"), Some("no-store"));
        let text = String::new();
        Self { client, text }
    }

    /// The next event.
    async fn next(&mut self) -> Event {
        let event = self.next_or_end();
        event.await.expect("the stream goes on")
    }

    /// The next event; `None` at the end of the stream.
    async fn next_or_end(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                match read(&event) {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let size = self.client.until(b"\r\n").await;
            let size = String::from_utf8(size).unwrap();
            let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
            let chunk = self.client.bytes(size + 2).await;
            if size == 0 {
                return None;
            }
            self.text
                .push_str(std::str::from_utf8(&chunk[..size]).unwrap());
        }
    }

    /// The first event that says something of `default/hello` that `accepts` accepts.
    async fn until(&mut self, accepts: impl Fn(&Json) -> bool) -> Json {
        let find = async {
            loop {
                let (_, data) = self.next().await;
                let rows = data["revisions"].as_array().cloned().unwrap_or_default();
                if let Some(row) = rows.into_iter().find(|row| accepts(row)) {
                    assert_eq!(row["name"], "hello");
                    return row;
                }
            }
        };
        timeout(PATIENCE, find).await.expect("such an event")
    }
}

/// `None` for what is no event: comments, and how soon to come back.
fn read(event: &str) -> Option<Event> {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    let data = serde_json::from_str(field("data: ")?).unwrap();
    Some((field("event: ").unwrap().to_owned(), data))
}

#[tokio::test]
async fn a_snapshot_and_then_what_changes() {
    let (backend, activator, mut client) = scene().await;
    let mut reader = Reader::open(&activator, "localhost").await;
    let (name, snapshot) = reader.next().await;
    assert_eq!(name, "snapshot");
    let rows = r#"[{"namespace":"default","name":"hello"}]"#;
    assert_eq!(
        snapshot["revisions"],
        serde_json::from_str::<Json>(rows).unwrap()
    );
    let server = &snapshot["server"];
    assert_eq!(server["write"], false);
    assert_eq!(server["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(server["totals"]["revisions"], 1);
    assert_eq!(server["totals"]["awake"], 0);

    client.send(get("/")).await;
    let (mut request, _) = backend.request().await;
    let row = reader.until(|row| row["in_flight"] == 1).await;
    assert_eq!(row["states"]["ready"], 1);
    let mut admin = Client::connect(activator.admin_addr()).await;
    let shown = admin
        .ask("GET /v1/revisions/default/hello HTTP/1.1\r\nHost: x\r\n")
        .await;
    let shown: Json = serde_json::from_str(&shown.body).unwrap();
    let backend = &shown["backend_states"][0];
    assert_eq!(backend["address"], shown["backends"][0]);
    assert_eq!(backend["state"], "ready");
    // Its average, and that there was a request.
    let history = reader.until(|row| row["history"].is_array()).await;
    assert!(history["history"][0].is_array(), "{history}");

    request.send(OK).await;
    client.message().await;
    reader
        .until(|row| row["in_flight"].is_null() && row.get("in_flight").is_some())
        .await;

    activator
        .revisions()
        .remove(&"default/hello".parse().unwrap());
    loop {
        let (name, data) = reader.next().await;
        assert_eq!(name, "change");
        if data["removed"] == serde_json::from_str::<Json>(rows).unwrap() {
            break;
        }
    }
}

#[tokio::test]
async fn queued_requests_and_instances_are_seen() {
    let activator = start(&[]);
    let mut reader = Reader::open(&activator, "localhost").await;
    let mut client = activator.connect().await;
    client.send(get("/")).await;
    reader.until(|row| row["queued"] == 1).await;
    change(&activator, |spec| {
        spec.hosts = [HostPattern::parse("app.localhost").unwrap()].into();
    });
    put(&activator, &["127.0.0.1:1".parse().unwrap()]);
    let row = reader.until(|row| row["hosts"].is_array()).await;
    assert_eq!(row["hosts"][0], "app.localhost");
}

#[tokio::test]
async fn an_instance_is_seen_from_its_start_to_its_end() {
    let activator = start_with(echo());
    let mut reader = Reader::open(&activator, "localhost").await;
    let (_, snapshot) = reader.next().await;
    let row = &snapshot["revisions"][0];
    assert_eq!(row["status"].to_string(), r#"{"state":"stopped"}"#);
    let mut client = activator.connect().await;
    client.get("/").await;
    let row = reader
        .until(|row| !row["status"]["next_stop"].is_null())
        .await;
    assert_eq!(row["status"]["state"], "ready");
    assert_eq!(row["status"]["last_start"]["cause"], "first_request");
    assert_eq!(row["status"]["next_stop"]["action"], "stop");
}

#[tokio::test]
async fn whether_a_reader_may_change_anything_depends_on_the_host() {
    let mut config = config(&[]);
    config.admin.write = true;
    let activator = start_with(config);
    for (host, write) in [
        ("localhost", true),
        ("127.0.0.1:9090", true),
        ("evil.example", false),
    ] {
        let mut reader = Reader::open(&activator, host).await;
        let (_, snapshot) = reader.next().await;
        assert_eq!(snapshot["server"]["write"], write, "{host}");
    }
}

#[tokio::test]
async fn pages_from_elsewhere_take_no_readers_place() {
    let activator = start_with(config(&[]));
    for header in [
        "Origin: http://elsewhere.example",
        "Sec-Fetch-Site: cross-site",
    ] {
        let mut client = Client::connect(activator.admin_addr()).await;
        let head = format!("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n");
        client.send(head).await;
        assert_eq!(client.head().await.status(), 403);
    }
}

#[tokio::test]
async fn a_drain_ends_the_streams_and_who_comes_back_sees_it() {
    let (backend, activator, mut client) = scene().await;
    let admin = activator.admin_addr();
    client.send(get("/")).await;
    let (mut request, _) = backend.request().await;
    let mut reader = Reader::open(&activator, "localhost").await;
    reader.next().await;
    let mut again = Client::connect(admin).await;
    let stopping = tokio::spawn(activator.stop());
    let end = async { while reader.next_or_end().await.is_some() {} };
    timeout(PATIENCE, end).await.expect("it ends");
    again
        .send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    let mut reader = Reader {
        client: again,
        text: String::new(),
    };
    reader.client.head().await;
    loop {
        let (_, data) = reader.next().await;
        if data["server"]["draining"] == true {
            break;
        }
    }
    request.send(OK).await;
    let stopped = timeout(PATIENCE + Duration::from_secs(5), stopping).await;
    assert!(stopped.is_ok(), "it stops with a reader");
}
