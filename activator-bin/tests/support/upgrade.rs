//! Upgraded connections.

use activator_bin::testing::Activator;

use super::activator::Ask;
use super::backend::Backend;
use super::http1::{Client, get_with};

pub(crate) const OFFER: &str = "Connection: Upgrade\r\nUpgrade: chat\r\n";
pub(crate) const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n";

/// A client and a backend after an upgrade.
pub(crate) async fn switched(activator: &Activator, backend: &Backend) -> (Client, Client) {
    let mut client = activator.connect().await;
    client.send(get_with(OFFER)).await;
    let (mut connection, _) = backend.request().await;
    connection.send(SWITCH).await;
    assert_eq!(client.head().await.status(), 101);
    (client, connection)
}
