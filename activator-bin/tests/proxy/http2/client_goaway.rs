//! Clients that are sent away (GOAWAY) because of what they sent: an operator hears of it.

use activator_bin::testing::Activator;

use crate::support::activator::{Ask, start};
use crate::support::metrics::until_counted;

/// A client sends `frames` behind empty settings, and the connection ends.
async fn send(activator: &Activator, frames: &[u8]) {
    let beginning = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut client = activator.connect().await;
    client.send([beginning, frames].concat()).await;
    client.rest().await.1.unwrap();
}

async fn check(frames: &[u8], reason: &str) {
    let activator = start(&[]);
    // A client that says goodbye is not counted.
    send(&activator, b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0").await;
    send(&activator, frames).await;
    until_counted(&activator, reason, 1).await;
}

#[tokio::test]
async fn protocol_error_is_counted() {
    // A window that grows by nothing, and another protocol.
    for frames in [
        &b"\0\0\x04\x08\0\0\0\0\0\0\0\0\0"[..],
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        check(frames, "bad_request").await;
    }
}

#[tokio::test]
async fn flood_of_empty_continuations_is_counted() {
    // A head in frames of nothing.
    let head = b"\0\0\0\x01\0\0\0\0\x01".to_vec();
    check(
        &[head, b"\0\0\0\x09\0\0\0\0\x01".repeat(11)].concat(),
        "client_flood",
    )
    .await;
}

#[tokio::test]
async fn flood_of_pings_is_counted() {
    check(
        &b"\0\0\x08\x06\0\0\0\0\x0012345678".repeat(20_000),
        "client_flood",
    )
    .await;
}
