//! What informational answers (1xx) do to a request's time: they are signs of its answer.

use std::time::Instant;

use activator_bin::testing::{Activator, TimeoutLimits};

use super::{LONG, check_timed_out, idle, response_start, start};
use crate::support::activator::Ask;
use crate::support::backend::Backend;
use crate::support::http1::Client;
use crate::support::http1::{HELLO, OK, get};

const PROCESSING: &str = "HTTP/1.1 102 Processing\r\n\r\n";

/// A request whose backend has its first sign of life be `sign`.
async fn begun(timeouts: TimeoutLimits, head: &str, sign: &str) -> (Activator, Client, Client) {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], timeouts);
    let mut client = activator.connect().await;
    client.send(format!("{head}\r\n")).await;
    let mut connection = backend.accept().await;
    connection.head().await;
    connection.send(sign).await;
    assert_eq!(client.until(b"\r\n\r\n").await, sign.as_bytes());
    (activator, client, connection)
}

async fn check_begun(method: &str, body: &str, sign: &str) {
    let head = format!("{method} / HTTP/1.1\r\n{HELLO}{body}");
    let (_activator, mut client, mut connection) = begun(response_start(LONG), &head, sign).await;
    tokio::time::sleep(LONG + LONG / 4).await;
    connection.send(OK).await;
    assert_eq!(client.message().await.body, "ok");
}

#[tokio::test]
async fn informational_response_ends_response_start_timeout() {
    let expecting = "Expect: 100-continue\r\nContent-Length: 2\r\n";
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n";
    tokio::join!(
        check_begun("GET", "", PROCESSING),
        check_begun("GET", "", hints),
        check_begun("POST", expecting, "HTTP/1.1 100 Continue\r\n\r\n"),
    );
}

#[tokio::test]
async fn informational_responses_reset_idle_timeout() {
    let head = format!("GET / HTTP/1.1\r\n{HELLO}");
    let (_activator, mut client, mut connection) = begun(idle(LONG), &head, PROCESSING).await;
    let begin = Instant::now();
    let mut last = begin;
    while begin.elapsed() < LONG + LONG / 4 {
        tokio::time::sleep(LONG / 10).await;
        last = Instant::now();
        connection.send(PROCESSING).await;
        assert_eq!(client.head().await.status(), 102);
    }
    check_timed_out(&client.message().await);
    assert!(last.elapsed() >= LONG);
}

#[tokio::test]
async fn earlier_informational_responses_do_not_count() {
    let head = format!("GET / HTTP/1.1\r\n{HELLO}");
    let (_activator, mut client, mut connection) =
        begun(response_start(LONG), &head, PROCESSING).await;
    connection.send(format!("{PROCESSING}{OK}")).await;
    assert_eq!(client.head().await.status(), 102);
    assert_eq!(client.message().await.body, "ok");
    client.send(get("/")).await;
    connection.message().await;
    check_timed_out(&client.message().await);
}
