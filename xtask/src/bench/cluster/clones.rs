//! Many sleeping revisions, and many foreign Services: objects as the real controllers have left them for one, copied
//! in etcd. Through the API 10,000 revisions take a quarter of an hour, with all controllers much more.
//!
//! A copy differs from what it was made of in digits only, so that the lengths in Kubernetes's binary form stay right.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::addresses::ENDPOINT_SLICES;
use crate::e2e::cluster::Cluster;
use crate::e2e::cluster::control_plane::etcd;
use crate::e2e::cluster::objects::{Revision, USER, items, text};
use crate::support::process::wait_until;

/// The revision whose objects are copied.
pub(super) const SLEEPER: &str = "sleeper-00000";
/// The same for a Service that has nothing to do with Knative.
pub(super) const FOREIGN: &str = "foreign-00000";
/// How many of its addresses are ready.
const FOREIGN_ADDRESSES: u8 = 3;
/// The digits at the end of a name.
const DIGITS: usize = 5;
/// The most changes that etcd takes at a time.
const AT_A_TIME: usize = 128;
/// The cluster addresses of the public and the private Service that are copied. Those of copies differ in the last two
/// numbers, which have three digits each: of either there are 78 times 156.
const CLUSTER_ADDRESSES: [&str; 2] = ["10.96.100.100", "10.96.178.100"];
const LAST_NUMBERS: usize = 156;
const SOON: Duration = Duration::from_secs(60);

/// Objects to copy.
pub(super) struct Template(Vec<Stored>);

/// An object in etcd.
struct Stored {
    key: Text,
    value: Text,
}

/// Bytes, some of which differ from copy to copy.
struct Text {
    bytes: Vec<u8>,
    places: Vec<(usize, Place)>,
}

#[derive(Clone, Copy)]
enum Place {
    /// The number of the copy.
    Number,
    /// The last two numbers of a cluster address.
    Address,
}

/// The name of a copy of the revision.
pub(super) fn name(number: usize) -> String {
    let all = &SLEEPER[..SLEEPER.len() - DIGITS];
    format!("{all}{number:0DIGITS$}")
}

/// Makes the revision that is copied later on, as a user of Knative would.
pub(super) fn apply_sleeper(cluster: &Cluster) -> Result<()> {
    let mut object = Revision::new(SLEEPER, 10).object();
    let variables =
        (0..12).map(|number| json!({"name": format!("SETTING_{number}"), "value": "x".repeat(40)}));
    let container = &mut object["spec"]["containers"][0];
    container["env"] = variables.collect();
    container["resources"] = json!({"requests": {"cpu": "100m", "memory": "128Mi"}});
    cluster.api.apply(&object)?;
    Ok(())
}

/// Makes the foreign Service that is copied later on.
pub(super) fn apply_foreign(cluster: &Cluster) -> Result<()> {
    let metadata =
        json!({"name": FOREIGN, "namespace": USER, "labels": {"app": FOREIGN, "team": "others"}});
    let ports = json!([{"name": "grpc", "port": 9000, "protocol": "TCP"}]);
    cluster.api.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": metadata,
        "spec": {"clusterIP": "None", "ports": ports},
    }))?;
    let addresses: Vec<_> = (1..=FOREIGN_ADDRESSES)
        .map(|number| json!({"ip": format!("10.0.220.{number}"), "nodeName": "node-1"}))
        .collect();
    cluster.api.apply(&json!({
        "apiVersion": "v1", "kind": "Endpoints", "metadata": metadata,
        "subsets": [{"addresses": addresses, "ports": ports}],
    }))?;
    Ok(())
}

/// Waits until a Service has a slice with so many addresses.
pub(super) fn wait_for_slice(cluster: &Cluster, service: &str, addresses: usize) -> Result<()> {
    let path = format!(
        "{ENDPOINT_SLICES}/namespaces/{USER}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3D{service}"
    );
    let what = format!("{service} has no slice with {addresses} addresses");
    wait_until(&what, SOON, || {
        let slices = cluster.api.get(&path)?;
        let there = items(&slices, "/items")
            .iter()
            .any(|slice| items(slice, "/endpoints").len() == addresses);
        Ok(there.then_some(()))
    })
}

impl Template {
    /// The objects of the sleeping revision that activators may read. No controller may run any more.
    pub(super) fn sleeper(cluster: &Cluster) -> Result<Self> {
        let services = [SLEEPER.to_owned(), format!("{SLEEPER}-private")];
        for (service, address) in services.iter().zip(CLUSTER_ADDRESSES) {
            give_address(cluster, service, address)?;
        }
        let mut keys = of_service(SLEEPER);
        keys.push(format!(
            "/registry/serving.knative.dev/revisions/{USER}/{SLEEPER}"
        ));
        keys.extend(CLUSTER_ADDRESSES.map(|address| format!("/registry/ipaddresses/{address}")));
        // Two of each kind, but for the revision.
        Self::read(&keys, 9)
    }

    /// A Service, its Endpoints and their slice.
    pub(super) fn foreign() -> Result<Self> {
        Self::read(&of_service(FOREIGN), 3)
    }

    /// All objects whose keys begin like these.
    fn read(keys: &[String], count: usize) -> Result<Self> {
        let mut objects = Vec::new();
        for key in keys {
            let found = etcd("/v3/kv/range", &range(key))?;
            for object in items(&found, "/kvs") {
                let bytes = |pointer| BASE64_STANDARD.decode(text(object, pointer));
                objects.push(Stored {
                    key: Text::new(bytes("/key")?),
                    value: Text::new(bytes("/value")?),
                });
            }
        }
        ensure!(
            objects.len() == count,
            "etcd has {} objects of {keys:?} and not {count}",
            objects.len()
        );
        Ok(Self(objects))
    }

    /// Makes copies with the numbers from `first` on, until there are `end`.
    pub(super) fn copy(&self, first: usize, end: usize) -> Result<()> {
        let mut changes = Vec::with_capacity(AT_A_TIME);
        for number in first..end {
            for Stored { key, value } in &self.0 {
                changes.push(json!({"requestPut": {
                    "key": BASE64_STANDARD.encode(key.copy(number)),
                    "value": BASE64_STANDARD.encode(value.copy(number)),
                }}));
                if changes.len() == AT_A_TIME {
                    commit(&mut changes)?;
                }
            }
        }
        commit(&mut changes)
    }
}

/// Removes the foreign Services.
pub(super) fn remove_foreign() -> Result<()> {
    let all = FOREIGN.trim_end_matches('0');
    for prefix in of_service(all) {
        etcd("/v3/kv/deleterange", &range(&prefix))?;
    }
    Ok(())
}

/// Where the objects of a Service are in etcd.
fn of_service(name: &str) -> Vec<String> {
    let kinds = ["services/specs", "services/endpoints", "endpointslices"];
    kinds
        .iter()
        .map(|kind| format!("/registry/{kind}/{USER}/{name}"))
        .collect()
}

/// All keys that begin with this.
fn range(prefix: &str) -> Value {
    let mut end = prefix.to_owned().into_bytes();
    // Letters, digits and slashes have a successor.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    json!({"key": BASE64_STANDARD.encode(prefix), "range_end": BASE64_STANDARD.encode(end)})
}

fn commit(changes: &mut Vec<Value>) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let answer = etcd("/v3/kv/txn", &json!({"success": changes}))?;
    ensure!(answer["succeeded"] == true, "etcd says {answer}");
    changes.clear();
    Ok(())
}

/// Makes a Service once more, with this cluster address.
fn give_address(cluster: &Cluster, service: &str, address: &str) -> Result<()> {
    // The API server removes the Endpoints of a Service together with it.
    let collections =
        ["services", "endpoints"].map(|kind| format!("/api/v1/namespaces/{USER}/{kind}"));
    let mut objects = Vec::new();
    for collection in &collections {
        let mut object = cluster.api.get(&format!("{collection}/{service}"))?;
        let metadata = object["metadata"].as_object_mut();
        let metadata = metadata.context("an object has metadata")?;
        for field in ["uid", "resourceVersion", "creationTimestamp"] {
            metadata.remove(field);
        }
        objects.push(object);
    }
    objects[0]["spec"]["clusterIP"] = json!(address);
    objects[0]["spec"]["clusterIPs"] = json!([address]);
    let [services, _] = &collections;
    cluster.api.delete(&format!("{services}/{service}"))?;
    for (collection, object) in collections.iter().zip(&objects) {
        cluster.api.create(collection, object)?;
    }
    Ok(())
}

impl Text {
    fn new(bytes: Vec<u8>) -> Self {
        let mut places = Vec::new();
        for (pattern, place) in [(SLEEPER, Place::Number), (FOREIGN, Place::Number)] {
            let digits = pattern.len() - DIGITS;
            places.extend(find(&bytes, pattern).map(|at| (at + digits, place)));
        }
        for address in CLUSTER_ADDRESSES {
            let digits = address.len() - "100.100".len();
            places.extend(find(&bytes, address).map(|at| (at + digits, Place::Address)));
        }
        places.extend(uids(&bytes).map(|end| (end - DIGITS, Place::Number)));
        Self { bytes, places }
    }

    fn copy(&self, number: usize) -> Vec<u8> {
        let mut copy = self.bytes.clone();
        for &(at, place) in &self.places {
            let digits = match place {
                Place::Number => format!("{number:0DIGITS$}"),
                Place::Address => {
                    let first: usize = String::from_utf8_lossy(&copy[at..at + 3])
                        .parse()
                        .unwrap_or_default();
                    let (high, low) = (first + number / LAST_NUMBERS, 100 + number % LAST_NUMBERS);
                    format!("{high}.{low}")
                }
            };
            copy[at..at + digits.len()].copy_from_slice(digits.as_bytes());
        }
        copy
    }
}

/// Where a text is.
fn find<'a>(bytes: &'a [u8], pattern: &'a str) -> impl Iterator<Item = usize> + 'a {
    let windows = bytes.windows(pattern.len()).enumerate();
    windows
        .filter(|(_, window)| *window == pattern.as_bytes())
        .map(|(at, _)| at)
}

/// Where the identifiers of objects end: two copies have different ones.
fn uids(bytes: &[u8]) -> impl Iterator<Item = usize> + '_ {
    const LENGTH: usize = 36;
    let is_uid = |window: &[u8]| {
        window.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let windows = bytes.windows(LENGTH).enumerate();
    windows
        .filter(move |(_, window)| is_uid(window))
        .map(|(at, _)| at + LENGTH)
}
