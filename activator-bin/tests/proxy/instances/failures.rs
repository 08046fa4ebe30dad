//! Instances that end by themselves, or never become ready.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{pids, start, status, until_state, until_status};
use crate::support::activator::{Ask, PATIENCE};
use crate::support::http1::get;

fn kill(pid: u64) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
}

#[tokio::test]
async fn an_instance_that_was_killed_is_replaced_for_the_next_request() {
    let activator = start("command = [{echo}]\nmax_scale = 1");
    let mut client = activator.connect().await;
    assert_eq!(client.get("/").await.status(), 200);
    for restarts in 1..=3 {
        let [pid] = pids(&until_state(&activator, "ready").await)[..] else {
            panic!("one process");
        };
        kill(pid);
        // Whether that is noticed before the request or by it, nothing of it was sent to the dead instance.
        assert_eq!(client.get("/").await.status(), 200, "after {restarts}");
        let status = until_status(&activator, "restarts", |it| it["restarts"] == restarts).await;
        assert_eq!(status["stops"]["crash"], restarts);
        // Restarts that follow each other are paused, and too many would end them.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_cannot_be_started_is_refused_with_the_reason_and_tried_again() {
    let check = async |command: &str, expected: &str| {
        let activator = start(&format!(
            "command = {command}\nmax_scale = 1\nrestart_backoff = '10ms..1s'\nmax_restarts = 1"
        ));
        let mut waiting = activator.connect().await;
        waiting.send(get("/waits")).await;
        let refused = waiting.message().await;
        assert_eq!(refused.status(), 503, "{command}");
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.body.contains(expected), "{}", refused.body);
        let failed = until_state(&activator, "failed").await;
        let why = failed["failed"]["why"].as_str().unwrap();
        assert!(why.contains(expected), "{failed}");
        // Until then nothing is started, after that a request starts it.
        assert_eq!(waiting.get("/").await.status(), 503);
        let begun = status(&activator).await["starts"]["first_request"].as_u64();
        let begin = std::time::Instant::now();
        while status(&activator).await["starts"]["first_request"].as_u64() == begun {
            assert!(begin.elapsed() < PATIENCE, "another attempt");
            assert_eq!(waiting.get("/").await.status(), 503);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    check("'/nowhere/at-all'", "there is no such file").await;
    check("['sh', '-c', 'exit 7']", "exited with code 7").await;
}

#[tokio::test]
async fn an_instance_that_is_not_ready_in_time_is_ended() {
    let activator = start(
        "command = ['sleep', '1000']\nmax_scale = 1\nstart_timeout = '200ms'\nmax_restarts = 0",
    );
    let mut client = activator.connect().await;
    let answer = client.get("/").await;
    assert_eq!(answer.status(), 503);
    assert!(
        answer.body.contains("not ready within 200ms"),
        "{}",
        answer.body
    );
    let status = until_state(&activator, "failed").await;
    assert_eq!(status["stops"]["start_failed"], 1);
    assert_eq!(status["instances"].as_array().unwrap().len(), 0);
}
