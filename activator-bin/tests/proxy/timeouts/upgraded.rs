//! The time of connections that have left HTTP.

use std::time::Instant;

use activator_bin::testing::Activator;

use super::{LONG, idle, response_start, start, total};
use crate::support::activator::Ask;
use crate::support::backend::Backend;
use crate::support::http1::Client;
use crate::support::metrics::until_counted;
use crate::support::metrics::until_metric;
use crate::support::upgrade::switched;

/// Has one side say something again and again, for longer than [`LONG`].
async fn keep_talking(talker: &mut Client, listener: &mut Client) {
    let begin = Instant::now();
    while begin.elapsed() < LONG + LONG / 4 {
        talker.send("a").await;
        assert_eq!(listener.bytes(1).await, b"a");
        tokio::time::sleep(LONG / 10).await;
    }
}

/// Both sides notice that the time is over, and the client that it was no orderly end.
async fn check_over(activator: &Activator, mut client: Client, mut backend: Client, reason: &str) {
    let (rest, end) = client.rest().await;
    assert_eq!((&*rest, end.is_err()), ("", true));
    assert_eq!(backend.rest().await.0, "");
    activator.until_in_flight(0).await;
    until_metric(activator, "active", 0).await;
    until_counted(activator, reason, 1).await;
}

#[tokio::test]
async fn total_timeout_ends_an_upgraded_connection() {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], total(LONG));
    let begin = Instant::now();
    let (mut client, mut connection) = switched(&activator, &backend).await;
    client.send("a").await;
    assert_eq!(connection.bytes(1).await, b"a");
    check_over(&activator, client, connection, "timeout").await;
    assert!(begin.elapsed() >= LONG);
}

async fn check_idle(client_talks: bool) {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], idle(LONG));
    let (mut client, mut connection) = switched(&activator, &backend).await;
    match client_talks {
        true => keep_talking(&mut client, &mut connection).await,
        false => keep_talking(&mut connection, &mut client).await,
    }
    let last = Instant::now();
    client.send("z").await;
    assert_eq!(connection.bytes(1).await, b"z");
    check_over(&activator, client, connection, "idle_timeout").await;
    assert!(last.elapsed() >= LONG);
}

#[tokio::test]
async fn idle_timeout_needs_silence_in_both_directions() {
    tokio::join!(check_idle(true), check_idle(false));
}

#[tokio::test]
async fn upgrade_ends_response_start_timeout() {
    let backend = Backend::bind().await;
    let activator = start(&[&backend], response_start(LONG));
    let (mut client, mut connection) = switched(&activator, &backend).await;
    tokio::time::sleep(LONG + LONG / 4).await;
    client.send("still").await;
    assert_eq!(connection.bytes(5).await, b"still");
    connection.send("here").await;
    assert_eq!(client.bytes(4).await, b"here");
}
