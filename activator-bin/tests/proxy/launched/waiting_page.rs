//! Browsers see a page while no instance of a revision is ready; machines wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use activator_bin::testing::Failure;
use activator_bin::testing::launch::{IgnoreRule, LaunchSpec, WaitingPage};

use super::Scene;
use crate::support::activator::Ask;
use crate::support::backend::answering;
use crate::support::http1::{Client, HELLO, Message, OK, get, get_with};
use crate::support::http2::{Http2Client, patiently, read, request};
use crate::support::metrics::{errors, metrics, until_counted, until_metric};

/// What browsers send.
const NAVIGATION: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Sec-Fetch-Mode: navigate\r\n";
const STATUS: &str = "/.well-known/activator/status";

fn with_page(launch: &mut LaunchSpec) {
    launch.waiting_page = WaitingPage::Auto;
}

fn fail(scene: &Scene) {
    scene.served.set_failed(Some(Failure {
        until: Instant::now() + Duration::from_secs(3600),
        why: "exited with <b>code 1".to_owned(),
    }));
}

#[track_caller]
fn check_page(answer: &Message) {
    assert_eq!(answer.status(), 503);
    let header = |name| answer.header(name).unwrap_or_default();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("cache-control"), "no-store");
    let seconds: u64 = header("retry-after").parse().unwrap();
    assert!((1..=3600).contains(&seconds));
    let policy = header("content-security-policy");
    let nonce = policy.split("script-src 'nonce-").nth(1).unwrap();
    let nonce = nonce.split('\'').next().unwrap();
    assert_eq!(
        answer.body.matches(&format!("nonce=\"{nonce}\"")).count(),
        2
    );
    assert!(answer.body.len() < 8 * 1024);
    assert!(!answer.body.contains("{{"), "{}", answer.body);
}

async fn navigate(scene: &Scene) -> Message {
    let mut client = scene.activator.connect().await;
    client.send(get_with(NAVIGATION)).await;
    client.message().await
}

async fn status(scene: &Scene) -> Message {
    scene.activator.connect().await.get(STATUS).await
}

#[tokio::test]
async fn a_browser_sees_a_page_and_counts() {
    let scene = Scene::new(1, with_page);
    let answer = navigate(&scene).await;
    check_page(&answer);
    assert!(answer.body.contains("<title>hello is starting</title>"));
    scene.activator.until_in_flight(0).await;
    assert_eq!(scene.counted(), Some(0), "it is known to have been there");
    assert!(errors(&metrics(&scene.activator).await).is_empty());

    let (address, _requests) = answering(OK).await;
    scene.ready(&[address]);
    assert_eq!(navigate(&scene).await.body, "ok");
}

#[tokio::test]
async fn a_browser_sees_the_page_over_http2() {
    let scene = Scene::new(1, with_page);
    let client = Http2Client::connect(&scene.activator).await;
    let mut head = request("GET", "/");
    let accept = "text/html,*/*;q=0.8".parse().unwrap();
    head.headers_mut().insert("accept", accept);
    let (response, _) = client.send(head, true).await;
    let mut answer = patiently(response).await.unwrap();
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
    let (page, _) = read(answer.body_mut()).await;
    assert!(page.contains("<title>hello is starting</title>"));
    let mut answer = client.get(STATUS).await;
    assert_eq!(answer.status(), 200);
    let (status, _) = read(answer.body_mut()).await;
    assert!(status.contains(r#""state":"starting""#));
}

#[tokio::test]
async fn machines_wait() {
    let machines = [
        get_with("Accept: */*\r\n"),
        get_with(""),
        get_with("Accept: text/event-stream\r\n"),
        get_with(&format!("{NAVIGATION}Sec-Purpose: prefetch\r\n")),
        get_with("Accept: text/html\r\nSec-Fetch-Mode: cors\r\n"),
        get_with("Accept: text/html\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"),
        format!("HEAD / HTTP/1.1\r\n{HELLO}{NAVIGATION}\r\n"),
        format!("POST / HTTP/1.1\r\n{HELLO}{NAVIGATION}Content-Length: 0\r\n\r\n"),
    ];
    let scene = Scene::new(0, with_page);
    let mut clients: Vec<Client> = Vec::new();
    for request in &machines {
        let mut client = scene.activator.connect().await;
        client.send(request).await;
        clients.push(client);
        until_metric(&scene.activator, "queued", clients.len()).await;
    }
    let (address, mut requests) = answering(OK).await;
    scene.ready(&[address]);
    for client in &mut clients {
        assert_eq!(client.head().await.status(), 200);
    }
    for _ in &machines {
        requests.recv().await.unwrap();
    }
}

#[tokio::test]
async fn everybody_waits_without_a_page() {
    let scene = Scene::new(1, |_| ());
    let mut clients = Vec::new();
    for request in [get_with(NAVIGATION), get(STATUS)] {
        let mut client = scene.activator.connect().await;
        client.send(request).await;
        clients.push(client);
        until_metric(&scene.activator, "queued", clients.len()).await;
    }
    let (address, _requests) = answering(OK).await;
    scene.ready(&[address]);
    for client in &mut clients {
        assert_eq!(client.message().await.body, "ok");
    }
}

#[tokio::test]
async fn the_status_is_told_only_while_no_instance_is_ready_and_counts_for_nothing() {
    let scene = Scene::new(1, |launch| {
        with_page(launch);
        // The page works whatever is ignored.
        launch.ignore = vec![IgnoreRule {
            path: Some("/.well-known/*".to_owned()),
            ..IgnoreRule::default()
        }];
    });
    let check = |answer: &Message, state: &str| {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let status: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(status["activator"]["state"], state);
    };
    check(&status(&scene).await, "starting");
    fail(&scene);
    check(&status(&scene).await, "failed");
    scene.served.set_failed(None);
    check(&status(&scene).await, "starting");
    assert_eq!(scene.counted(), None);
    let (address, mut requests) = answering(OK).await;
    scene.ready(&[address]);
    assert_eq!(status(&scene).await.body, "ok");
    let line = requests.recv().await.unwrap().first_line;
    assert_eq!(line, format!("GET {STATUS} HTTP/1.1"));
    scene.ready(&[]);
    check(&status(&scene).await, "starting");
}

#[tokio::test]
async fn a_browser_sees_why_starting_has_failed() {
    let scene = Scene::new(1, with_page);
    fail(&scene);
    let answer = navigate(&scene).await;
    check_page(&answer);
    assert!(answer.body.contains("<title>hello failed to start</title>"));
    assert!(answer.body.contains("exited with &lt;b&gt;code 1."));
    until_counted(&scene.activator, "start_failed", 1).await;
}

#[tokio::test]
async fn a_page_of_ones_own_is_sent_as_it_is() {
    let page = "<p>{{title}} <script>1</script>";
    let scene = Scene::new(1, |launch| {
        launch.waiting_page = WaitingPage::Page(Arc::from(page));
    });
    for _ in 0..2 {
        let answer = navigate(&scene).await;
        assert_eq!((answer.status(), &*answer.body), (503, page));
        assert_eq!(
            answer.header("content-type"),
            Some("text/html; charset=utf-8")
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("content-security-policy"), None);
        assert!(answer.header("retry-after").is_some());
        fail(&scene);
    }
}
