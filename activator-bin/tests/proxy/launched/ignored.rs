//! Requests that match a rule of a revision neither wake it nor count.

use activator_bin::testing::launch::{IgnoreRule, LaunchSpec};

use super::Scene;
use crate::support::activator::Ask;
use crate::support::backend::Backend;
use crate::support::http1::{HELLO, LAST, get};
use crate::support::http2::{Http2Client, read};
use crate::support::metrics::{errors, metrics, until_metric};

/// Requests of `/up`, and those that say they are checks, from this machine.
fn rules(launch: &mut LaunchSpec) {
    launch.ignore = vec![
        IgnoreRule {
            path: Some("/up".to_owned()),
            ..IgnoreRule::default()
        },
        IgnoreRule {
            user_agent: Some("uptime".to_owned()),
            source: Some(([127, 0, 0, 0].into(), 8)),
            ..IgnoreRule::default()
        },
    ];
}

#[tokio::test]
async fn an_ignored_request_is_answered_while_no_instance_is_ready() {
    for (status, text) in [
        (503, "no instance of revision default/hello is ready\n"),
        (200, "no instance of revision default/hello is ready\n"),
        (204, ""),
    ] {
        let scene = Scene::new(1, |launch| {
            rules(launch);
            launch.asleep_status = status;
        });
        for head in [
            "GET /up?verbose HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nUser-Agent: UptimeRobot/2.0\r\n",
            "POST / HTTP/1.1\r\nUser-Agent: UptimeRobot/2.0\r\nContent-Length: 0\r\n",
        ] {
            let mut client = scene.activator.connect().await;
            let answer = client.ask(&format!("{head}{HELLO}")).await;
            assert_eq!((answer.status(), &*answer.body), (status, text), "{head}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
        }
        let client = Http2Client::connect(&scene.activator).await;
        let mut answer = client.get("/up").await;
        assert_eq!(answer.status(), status);
        assert_eq!(read(answer.body_mut()).await.0, text);
        assert_eq!(scene.counted(), None);
        assert!(errors(&metrics(&scene.activator).await).is_empty());
    }
}

#[tokio::test]
async fn an_ignored_request_is_passed_on_uncounted_while_an_instance_is_ready() {
    let scene = Scene::new(1, rules);
    let backend = Backend::bind().await;
    scene.ready(&[backend.address]);
    let mut client = scene.activator.connect().await;
    client.send(get("/up")).await;
    let (mut connection, message) = backend.request().await;
    assert_eq!(message.first_line, "GET /up HTTP/1.1");
    until_metric(&scene.activator, "active", 1).await;
    assert_eq!(scene.counted(), None);
    connection.send(LAST).await;
    assert_eq!(client.message().await.body, "ok");
    until_metric(&scene.activator, "active", 0).await;
    // Another one counts.
    client.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    assert_eq!(scene.counted(), Some(1));
    connection.send(LAST).await;
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn an_ignored_request_waits_for_a_slot_only_while_an_instance_is_ready() {
    let scene = Scene::new(1, rules);
    let backend = Backend::bind().await;
    scene.ready(&[backend.address]);
    let mut busy = scene.activator.connect().await;
    busy.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    let mut check = scene.activator.connect().await;
    check.send(get("/up")).await;
    until_metric(&scene.activator, "queued", 1).await;
    connection.send(LAST).await;
    assert_eq!(busy.message().await.body, "ok");
    let (mut connection, message) = backend.request().await;
    assert_eq!(message.first_line, "GET /up HTTP/1.1");
    connection.send(LAST).await;
    assert_eq!(check.message().await.body, "ok");

    busy.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    check.send(get("/up")).await;
    until_metric(&scene.activator, "queued", 1).await;
    scene.ready(&[]);
    assert_eq!(check.message().await.status(), 503);
    until_metric(&scene.activator, "queued", 0).await;
    connection.send(LAST).await;
    assert_eq!(busy.message().await.body, "ok");
}

#[tokio::test]
async fn an_ignored_request_finds_that_the_last_instance_is_gone() {
    let scene = Scene::new(1, rules);
    let gone = Backend::bind().await.address;
    scene.ready(&[gone]);
    let answer = scene.activator.connect().await.get("/up").await;
    let expected = "no instance of revision default/hello is ready\n";
    assert_eq!((answer.status(), &*answer.body), (503, expected));
    assert_eq!(scene.counted(), None);
}
