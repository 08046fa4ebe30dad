//! What an ingress knows: the addresses behind a revision's public service, which change as activators come and go.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::api::{Api, Change, Stop};
use super::objects::{Revision, USER, items, text};

/// Where requests of a revision go. Clones are one. While the API server is away it keeps what it knows.
#[derive(Clone)]
pub(crate) struct Ingress {
    addresses: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Ingress {
    /// Follows the public endpoints of a revision until `stop`.
    pub(crate) fn of(revision: &Revision, api: &Api, stop: &Stop) -> Self {
        let addresses = Arc::new(Mutex::new(Vec::new()));
        let known = Arc::clone(&addresses);
        let collection = format!("/api/v1/namespaces/{USER}/endpoints");
        let query = format!("fieldSelector=metadata.name%3D{}", revision.name);
        api.watch(&collection, &query, stop, move |change| {
            let objects = match change {
                Change::All(objects) => objects,
                Change::Applied(object) => vec![object],
                Change::Deleted(_) => Vec::new(),
            };
            let found = objects.iter().flat_map(addresses_of).collect();
            *known.lock().unwrap_or_else(PoisonError::into_inner) = found;
        });
        Self { addresses }
    }

    /// The addresses now.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        let addresses = self.addresses.lock();
        addresses.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(super) fn addresses_of(endpoints: &serde_json::Value) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for subset in items(endpoints, "/subsets") {
        let ports = items(subset, "/ports");
        let port = ports
            .iter()
            .find(|port| text(port, "/name").starts_with("http"));
        let Some(port) = port.and_then(|port| port["port"].as_u64()) else {
            continue;
        };
        for address in items(subset, "/addresses") {
            found.extend(format!("{}:{port}", text(address, "/ip")).parse::<SocketAddr>());
        }
    }
    found
}
