//! A response that has begun and will not end by itself.

use activator_bin::testing::Activator;

use crate::support::activator::Ask;
use crate::support::backend::Backend;
use crate::support::http1::{Client, get};

/// A client and a backend after the first 5 of 9 bytes of a body.
pub(crate) async fn begun(
    activator: &Activator,
    backend: &Backend,
    path: &str,
) -> (Client, Client) {
    let mut client = activator.connect().await;
    client.send(get(path)).await;
    let (mut connection, _) = backend.request().await;
    connection
        .send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nfirst")
        .await;
    client.head().await;
    assert_eq!(client.bytes(5).await, b"first");
    (client, connection)
}
