//! What operators see and do.

use serde_json::{Value as Json, json};

use super::{REPORTS, admin, launched, pids, start, status, until_state, until_status};
use crate::support::activator::{Ask, start_with};
use crate::support::metrics::{metrics, until_line};

const WAKE: &str = "POST /v1/revisions/default/hello/wake";
const SLEEP: &str = "POST /v1/revisions/default/hello/sleep";

#[tokio::test]
async fn a_revision_is_woken_and_put_to_sleep() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    let (code, shown) = admin(&activator, &format!("{WAKE}?for=1h")).await;
    assert_eq!(code, 202, "{shown}");
    let shown: Json = serde_json::from_str(&shown).unwrap();
    assert!(["starting", "ready"].contains(&shown["state"].as_str().unwrap()));
    let awake = until_state(&activator, "ready").await;
    assert_eq!(awake["starts"], json!({ "admin": 1 }));

    let (code, _) = admin(&activator, SLEEP).await;
    assert_eq!(code, 202);
    let asleep = until_state(&activator, "stopped").await;
    assert_eq!(asleep["stops"], json!({ "admin": 1 }));
    assert_eq!(asleep["last_change"]["cause"], "admin");

    // A request wakes it at once, although the reporter may still know the last one.
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
    admin(&activator, SLEEP).await;
    until_state(&activator, "stopped").await;
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
}

#[tokio::test]
async fn a_report_of_what_was_responded_to_wakes_nothing() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    let mut client = activator.connect().await;
    // The first one was reported before an instance was ready.
    for _ in 0..2 {
        assert_eq!(client.get("/").await.status(), 200);
    }
    admin(&activator, SLEEP).await;
    until_state(&activator, "stopped").await;
    // The second one is in one of these reports.
    tokio::time::sleep(4 * REPORTS).await;
    let asleep = status(&activator).await;
    assert_eq!(asleep["state"], "stopped", "{asleep}");
    assert_eq!(asleep["starts"], json!({ "first_request": 1 }));
}

#[tokio::test]
async fn sleep_waits_for_requests_in_flight() {
    use crate::support::http1::HELLO;
    let activator = start("command = [{echo}]\nmax_scale = 1");
    let mut busy = activator.connect().await;
    busy.send(format!(
        "POST / HTTP/1.1\r\n{HELLO}Content-Length: 2\r\n\r\na"
    ))
    .await;
    until_state(&activator, "ready").await;
    admin(&activator, SLEEP).await;
    until_state(&activator, "draining").await;
    busy.send("b").await;
    assert_eq!(busy.message().await.body, "ab");
    until_state(&activator, "stopped").await;
}

#[tokio::test]
async fn wishes_that_cannot_be_granted_are_refused() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    for (request, code, expected) in [
        (format!("{WAKE}?for=never"), 400, "for: "),
        (format!("{WAKE}?until=1h"), 400, "the only parameter is for"),
        (
            "POST /v1/revisions/default/other/wake".to_owned(),
            404,
            "there is no revision",
        ),
        ("GET /v1/revisions/default/hello/wake".to_owned(), 405, ""),
    ] {
        let (status, body) = admin(&activator, &request).await;
        assert_eq!(status, code, "{request}: {body}");
        assert!(body.contains(expected), "{request}: {body}");
    }
    let mut config = launched("command = [{echo}]\nmax_scale = 1");
    config.admin.write = false;
    let activator = start_with(config);
    for request in [WAKE, SLEEP] {
        let (status, body) = admin(&activator, request).await;
        assert_eq!(status, 403, "{request}: {body}");
    }
    let activator = start("backends = ['127.0.0.1:1']");
    let (status, body) = admin(&activator, WAKE).await;
    assert_eq!(status, 409);
    assert!(body.contains("neither command nor start_command"), "{body}");
}

#[tokio::test]
async fn instances_are_in_the_list_and_in_the_metrics() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    until_line(&activator, "activator_instances{state=\"stopped\"} 1").await;
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
    let shown = until_state(&activator, "ready").await;
    let (_, list) = admin(&activator, "GET /v1/revisions").await;
    let list: Json = serde_json::from_str(&list).unwrap();
    let listed = &list["revisions"][0]["status"];
    assert_eq!(listed["state"], "ready");
    assert_eq!(pids(listed), pids(&shown));
    let text = metrics(&activator).await;
    for line in [
        "activator_instances{state=\"ready\"} 1",
        "activator_instances{state=\"stopped\"} 0",
        "activator_instances_wanted 1",
        "activator_instance_starts_total{cause=\"first_request\"} 1",
        "activator_instance_start_seconds_count 1",
        "activator_instance_restarts_total 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
}

#[tokio::test]
async fn the_last_lines_of_an_instance_are_shown() {
    let command = format!(
        "['sh', '-c', 'echo one; echo two >&2; exec {} echo']",
        super::PROGRAM
    );
    let activator = start(&format!("command = {command}\nmax_scale = 1\nlog = 'off'"));
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
    let shown = until_status(&activator, "two lines", |it| {
        it["instances"][0]["output"]
            .as_array()
            .is_some_and(|it| it.len() == 2)
    })
    .await;
    let mut lines: Vec<_> = shown["instances"][0]["output"].as_array().unwrap().clone();
    lines.sort_by_key(ToString::to_string);
    assert_eq!(lines, [json!("one"), json!("two")]);
    assert!(status(&activator).await["failed"].is_null());
}
