//! Instances that the activator starts, from its requests to its processes and back.

use std::path::Path;
use std::time::Duration;

use activator_bin::testing::{Activator, Config, RevisionSpec};
use serde_json::{Value as Json, json};

use crate::support::activator::{PATIENCE, hello, start_with};
use crate::support::config::for_tests;
use crate::support::http1::Client;

mod changes;
mod failures;
mod operators;

/// The program under test, which can serve too: see `activator echo`.
pub(super) const PROGRAM: &str = env!("CARGO_BIN_EXE_activator");

/// How often requests are reported.
const REPORTS: Duration = Duration::from_millis(100);

/// `default/hello` with these lines in its section. `{echo}` in them is the program and argument of an echo server.
fn launched(lines: &str) -> Config {
    let lines = lines.replace("{echo}", &format!("'{PROGRAM}', 'echo'"));
    let mut config = for_tests(&format!(
        "
        workers = 2
        drain_timeout = '5s'
        reporter = {{ interval = '{REPORTS:?}' }}
        admin = {{ write = true }}
        [[revision]]
        namespace = 'default'
        name = 'hello'
        {lines}
        "
    ));
    config.revisions[0].queue_depth = 1_000;
    config
}

fn start(lines: &str) -> Activator {
    start_with(launched(lines))
}

/// What `lines` make of the revision.
fn spec(lines: &str) -> RevisionSpec {
    launched(lines).revisions.remove(0)
}

/// Asks the admin port.
async fn admin(activator: &Activator, request: &str) -> (u16, String) {
    let mut client = Client::connect(activator.admin_addr()).await;
    client
        .send(format!("{request} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .await;
    let answer = client.message().await;
    (answer.status(), answer.body)
}

/// The status of `default/hello`.
async fn status(activator: &Activator) -> Json {
    let key = hello();
    let (_, shown) = admin(activator, &format!("GET /v1/revisions/{key}")).await;
    let mut shown: Json = serde_json::from_str(&shown).unwrap();
    shown["status"].take()
}

/// Waits until the status is as `is_so` wants it, and returns it.
async fn until_status(activator: &Activator, what: &str, is_so: impl Fn(&Json) -> bool) -> Json {
    let begin = std::time::Instant::now();
    loop {
        let status = status(activator).await;
        if is_so(&status) {
            return status;
        }
        assert!(begin.elapsed() < PATIENCE, "{what}: {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Waits until the state of `default/hello` is this one.
async fn until_state(activator: &Activator, state: &str) -> Json {
    until_status(activator, state, |it| it["state"] == state).await
}

/// The processes of its instances.
fn pids(status: &Json) -> Vec<u64> {
    let instances = status["instances"].as_array().unwrap();
    instances
        .iter()
        .filter_map(|it| it["pid"].as_u64())
        .collect()
}

/// Whether a process runs, or has ended and was not waited for.
fn exists(pid: u64) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_hundred_requests_at_once_start_one_instance() {
    use crate::support::activator::Ask;
    let activator = start("command = [{echo}]\nmax_scale = 1");
    assert_eq!(status(&activator).await["state"], "stopped");
    let mut clients = Vec::new();
    for index in 0..100 {
        let mut client = activator.connect().await;
        client
            .send(crate::support::http1::get(&format!("/{index}")))
            .await;
        clients.push(client);
    }
    for (index, client) in clients.iter_mut().enumerate() {
        let answer = client.message().await;
        assert_eq!(
            (answer.status(), answer.body),
            (200, format!("GET /{index}\n"))
        );
    }
    let status = status(&activator).await;
    assert_eq!(status["starts"], json!({ "first_request": 1 }));
    assert_eq!(
        (&status["ready"], &status["restarts"]),
        (&json!(1), &json!(0))
    );
    let [pid] = pids(&status)[..] else {
        panic!("one process: {status}");
    };
    assert!(exists(pid));
    activator.stop().await;
    assert!(!exists(pid), "it ends before the activator does");
}

#[tokio::test]
async fn a_service_is_stopped_once_it_is_idle_and_not_before() {
    use crate::support::activator::Ask;
    let activator = start("command = [{echo}]\nmax_scale = 1\nstable_window = '6s'");
    // An upload that does not end is a request in flight, whatever the window.
    let mut client = activator.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: x\r\nKnative-Serving-Namespace: default\r\nKnative-Serving-Revision: hello\r\nContent-Length: 2\r\n\r\na")
        .await;
    until_state(&activator, "ready").await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(status(&activator).await["state"], "ready");
    client.send("b").await;
    assert_eq!(client.message().await.body, "ab");

    let status = until_state(&activator, "stopped").await;
    assert_eq!(status["stops"], json!({ "idle": 1 }));
    assert_eq!(status["wanted"], 0);
    // The next one starts it again.
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
}
