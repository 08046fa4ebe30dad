//! What becomes of instances when their revision changes or goes.

use std::sync::Arc;

use serde_json::json;

use super::{exists, pids, spec, start, until_state, until_status};
use crate::support::activator::{Ask, hello, until};
use crate::support::http1::HELLO;

#[tokio::test]
async fn a_changed_command_starts_a_new_instance_before_the_old_one_ends() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    let mut busy = activator.connect().await;
    busy.send(format!(
        "POST / HTTP/1.1\r\n{HELLO}Content-Length: 2\r\n\r\na"
    ))
    .await;
    let [old] = pids(&until_state(&activator, "ready").await)[..] else {
        panic!("one process");
    };
    let changed = spec("command = [{echo}]\nenv = { LEVEL = 'high' }\nmax_scale = 1");
    activator.revisions().put(changed).unwrap();
    // The request in flight keeps the old one, and new ones get the new one.
    let status = until_status(&activator, "both", |it| {
        it["instances"].as_array().unwrap().len() == 2 && it["ready"] == 1
    })
    .await;
    assert_eq!(status["starts"]["changed"], 1);
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
    assert!(exists(old));
    busy.send("b").await;
    assert_eq!(busy.message().await.body, "ab");
    let status = until_status(&activator, "one", |it| {
        it["instances"].as_array().unwrap().len() == 1
    })
    .await;
    assert_eq!(status["stops"], json!({ "changed": 1 }));
    assert!(!exists(old) && !pids(&status).contains(&old));
}

#[tokio::test]
async fn other_fields_replace_nothing() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
    let before = until_state(&activator, "ready").await;
    let changed = spec("command = [{echo}]\nmax_scale = 3\nmin_scale = 2\nstable_window = '1h'");
    activator.revisions().put(changed).unwrap();
    let after = until_status(&activator, "two", |it| it["ready"] == 2).await;
    assert!(pids(&after).contains(&pids(&before)[0]));
    assert_eq!(
        after["starts"],
        json!({ "first_request": 1, "min_scale": 1 })
    );
}

#[tokio::test]
async fn the_instances_of_a_removed_revision_end_after_their_requests() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    let mut busy = activator.connect().await;
    busy.send(format!(
        "POST / HTTP/1.1\r\n{HELLO}Content-Length: 2\r\n\r\na"
    ))
    .await;
    let [pid] = pids(&until_state(&activator, "ready").await)[..] else {
        panic!("one process");
    };
    assert!(activator.revisions().remove(&hello()));
    assert_eq!(activator.connect().await.get("/").await.status(), 404);
    assert!(exists(pid));
    busy.send("b").await;
    assert_eq!(busy.message().await.body, "ab");
    until("its end", || !exists(pid)).await;

    // It may come back at once.
    let again = Arc::new(spec("command = [{echo}]\nmax_scale = 1"));
    activator.revisions().put((*again).clone()).unwrap();
    assert_eq!(activator.connect().await.get("/").await.status(), 200);
}
