//! Connections that have left HTTP: what they count for, how their ends close, and how fast bytes go.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::support::activator::{Ask, PATIENCE, config, hello, start, start_with, until_refused};
use crate::support::backend::Backend;
use crate::support::http1::{Client, get};
use crate::support::upgrade::switched;

#[tokio::test]
async fn upgraded_connection_is_in_flight_and_holds_its_slot() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.revisions[0].container_concurrency = 1;
    let activator = start_with(config);
    let (client, connection) = switched(&activator, &backend).await;
    assert_eq!(activator.in_flight(), 1);
    let mut waiting = activator.connect().await;
    waiting.send(get("/")).await;
    activator.until_in_flight(2).await;
    assert!(backend.is_silent());
    drop(client);
    drop(connection);
    let (mut connection, _) = backend.request().await;
    activator.until_in_flight(1).await;
    connection.send("HTTP/1.1 204 No Content\r\n\r\n").await;
    assert_eq!(waiting.head().await.status(), 204);
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn half_close_keeps_the_other_direction() {
    for client_first in [true, false] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let (client, connection) = switched(&activator, &backend).await;
        let (mut first, mut second) = match client_first {
            true => (client, connection),
            false => (connection, client),
        };
        first.send("last words").await;
        first.socket.shutdown().await.unwrap();
        let (words, end) = second.rest().await;
        assert_eq!((&*words, end.is_ok()), ("last words", true));
        // It was passed on a while ago, and was the end of nothing else.
        second.send("still here").await;
        assert_eq!(first.bytes(10).await, b"still here");
        assert_eq!(activator.in_flight(), 1);
        second.socket.shutdown().await.unwrap();
        assert!(first.rest().await.1.is_ok());
        activator.until_in_flight(0).await;
    }
}

#[tokio::test]
async fn disconnect_ends_the_other_side() {
    for client_first in [true, false] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let (client, connection) = switched(&activator, &backend).await;
        let (gone, mut left) = match client_first {
            true => (client, connection),
            false => (connection, client),
        };
        gone.socket.set_zero_linger().unwrap();
        drop(gone);
        activator.until_in_flight(0).await;
        // It can't take that for an orderly end.
        assert!(left.rest().await.1.is_err());
    }
}

#[tokio::test]
async fn client_disconnect_is_noticed_while_the_backend_does_not_read() {
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let (mut client, connection) = switched(&activator, &backend).await;
    client.fill_buffers().await;
    client.socket.set_zero_linger().unwrap();
    drop(client);
    activator.until_in_flight(0).await;
    drop(connection);
}

#[tokio::test]
async fn backpressure_in_each_direction() {
    for client_first in [true, false] {
        let backend = Backend::bind().await;
        let activator = start(&[backend.address]);
        let (client, connection) = switched(&activator, &backend).await;
        let (mut writer, mut reader) = match client_first {
            true => (client, connection),
            false => (connection, client),
        };
        let written = writer.fill_buffers().await;
        // The other direction is not disturbed by that.
        reader.send("slowly, please").await;
        assert_eq!(writer.bytes(14).await, b"slowly, please");
        writer.socket.shutdown().await.unwrap();
        let (text, end) = reader.rest().await;
        assert_eq!((text.len(), end.is_ok()), (written, true));
    }
}

#[tokio::test]
async fn bulk_in_both_directions() {
    const MUCH: usize = 10 << 20;
    let bytes = |seed: usize| -> Vec<u8> {
        (0..MUCH)
            .map(|at| (at * seed / 7 + at / 251) as u8)
            .collect()
    };
    async fn exchange(client: Client, bytes: Vec<u8>) -> Vec<u8> {
        let (mut read, mut write) = client.socket.into_split();
        let mut received = Vec::new();
        let sending = async {
            write.write_all(&bytes).await.unwrap();
            write.shutdown().await.unwrap();
        };
        let both = async { tokio::join!(sending, read.read_to_end(&mut received)) };
        timeout(PATIENCE * 3, both).await.unwrap().1.unwrap();
        received
    }
    let backend = Backend::bind().await;
    let activator = start(&[backend.address]);
    let (client, connection) = switched(&activator, &backend).await;
    let (at_client, at_backend) =
        tokio::join!(exchange(client, bytes(3)), exchange(connection, bytes(5)));
    assert!(at_client == bytes(5));
    assert!(at_backend == bytes(3));
    activator.until_in_flight(0).await;
}

#[tokio::test]
async fn drain_waits_for_an_upgraded_connection() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = PATIENCE;
    let activator = start_with(config);
    let http = activator.http_addr();
    let (mut client, mut connection) = switched(&activator, &backend).await;
    let stopping = tokio::spawn(activator.stop());
    until_refused(http).await;
    client.send("still").await;
    assert_eq!(connection.bytes(5).await, b"still");
    connection.send("here").await;
    assert_eq!(client.bytes(4).await, b"here");
    assert!(!stopping.is_finished());
    drop(client);
    drop(connection);
    timeout(PATIENCE / 2, stopping).await.unwrap().unwrap();
}

#[tokio::test]
async fn drain_timeout_cuts_an_upgraded_connection() {
    let backend = Backend::bind().await;
    let mut config = config(&[backend.address]);
    config.drain_timeout = Duration::from_millis(200);
    let activator = start_with(config);
    let reporter = activator.reporter().clone();
    let (client, connection) = switched(&activator, &backend).await;
    activator.stop().await;
    // Neither takes that for all.
    for mut side in [client, connection] {
        let (rest, end) = side.rest().await;
        assert_eq!((&*rest, end.is_err()), ("", true));
    }
    assert_eq!(reporter.in_flight(&hello()).unwrap_or(0), 0);
}
