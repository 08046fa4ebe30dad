//! While the instances of a revision fail to start, requests are refused at once.

use std::time::{Duration, Instant};

use activator_bin::testing::Failure;

use super::Scene;
use crate::support::activator::{Ask, queue};
use crate::support::backend::{Backend, answering};
use crate::support::http1::{LAST, Message, OK, get};
use crate::support::metrics::{until_counted, until_metric};

fn failure(seconds: u64) -> Option<Failure> {
    Some(Failure {
        until: Instant::now() + Duration::from_secs(seconds),
        why: "exited with code 1".to_owned(),
    })
}

#[track_caller]
fn check_refused(answer: &Message) {
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&seconds));
    let why = format!(
        "revision default/hello failed to start: exited with code 1; the next request after {seconds} s tries again\n"
    );
    assert_eq!((answer.status(), &answer.body), (503, &why));
}

#[tokio::test]
async fn requests_are_refused_until_the_time_that_is_said() {
    let scene = Scene::new(1, |_| ());
    let mut waiting = queue(&scene.activator, 2).await;
    scene.served.set_failed(failure(3600));
    for client in &mut waiting {
        check_refused(&client.message().await);
    }
    for _ in 0..2 {
        check_refused(&scene.activator.connect().await.get("/").await);
    }
    until_counted(&scene.activator, "start_failed", 4).await;
    // The time is over, and requests wait again.
    scene.served.set_failed(failure(0));
    let mut waiting = queue(&scene.activator, 1).await;
    let (address, _requests) = answering(OK).await;
    scene.ready(&[address]);
    assert_eq!(waiting[0].message().await.status(), 200);
}

#[tokio::test]
async fn requests_wait_again_once_starting_is_tried_again() {
    let scene = Scene::new(1, |_| ());
    scene.served.set_failed(failure(3600));
    check_refused(&scene.activator.connect().await.get("/").await);
    scene.served.set_failed(None);
    let mut waiting = queue(&scene.activator, 1).await;
    let (address, _requests) = answering(OK).await;
    scene.ready(&[address]);
    assert_eq!(waiting[0].message().await.status(), 200);
}

#[tokio::test]
async fn an_instance_that_is_ready_serves_although_others_fail() {
    let scene = Scene::new(1, |_| ());
    let backend = Backend::bind().await;
    scene.ready(&[backend.address]);
    let mut served = scene.activator.connect().await;
    served.send(get("/")).await;
    let (mut connection, _) = backend.request().await;
    let mut waiting = queue(&scene.activator, 1).await;
    scene.served.set_failed(failure(3600));
    until_metric(&scene.activator, "queued", 1).await;
    connection.send(LAST).await;
    assert_eq!(served.message().await.status(), 200);
    let (mut connection, _) = backend.request().await;
    connection.send(LAST).await;
    assert_eq!(waiting[0].message().await.status(), 200);
}
