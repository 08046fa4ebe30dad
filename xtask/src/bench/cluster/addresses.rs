//! A revision's instances as the API server knows them, written by hand: in its private Endpoints, where Knative's
//! activator looks, and in its slice, where ours does. For clusters whose controllers have been stopped.

use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::e2e::cluster::Cluster;
use crate::e2e::cluster::objects::{USER, items, text};

pub(super) const ENDPOINT_SLICES: &str = "/apis/discovery.k8s.io/v1";

/// The two objects.
pub(super) struct Addresses<'a> {
    cluster: &'a Cluster,
    endpoints: String,
    slice: String,
}

impl<'a> Addresses<'a> {
    pub(super) fn of(cluster: &'a Cluster, revision: &str) -> Result<Self> {
        let service = format!("{revision}-private");
        let collection = format!("{ENDPOINT_SLICES}/namespaces/{USER}/endpointslices");
        let query = format!("labelSelector=kubernetes.io%2Fservice-name%3D{service}");
        let slices = cluster.api.get(&format!("{collection}?{query}"))?;
        let slice = items(&slices, "/items")
            .first()
            .with_context(|| format!("{service} has no slice"))?;
        Ok(Self {
            cluster,
            endpoints: format!("/api/v1/namespaces/{USER}/endpoints/{service}"),
            slice: format!("{collection}/{}", text(slice, "/metadata/name")),
        })
    }

    /// These are ready, and those are not yet.
    pub(super) fn set(&self, ready: &[Ipv4Addr], others: &[Ipv4Addr]) -> Result<()> {
        let api = &self.cluster.api;
        let ports = json!([
            {"name": "http", "port": 8012, "protocol": "TCP"},
            {"name": "http-autometric", "port": 9090, "protocol": "TCP"},
            {"name": "https", "port": 8112, "protocol": "TCP"},
        ]);
        let of_slice = |ready: bool| {
            move |address: &Ipv4Addr| {
                json!({
                    "addresses": [address], "nodeName": "node-1", "targetRef": pod(address),
                    "conditions": {"ready": ready, "serving": ready, "terminating": false},
                })
            }
        };
        let endpoints: Vec<_> = ready.iter().map(of_slice(true)).collect();
        let endpoints = [endpoints, others.iter().map(of_slice(false)).collect()].concat();
        api.merge(
            &self.slice,
            &json!({"endpoints": endpoints, "ports": ports}),
        )?;

        let all = |addresses: &[Ipv4Addr]| -> Vec<Value> {
            let one = |ip: &Ipv4Addr| json!({"ip": ip, "nodeName": "node-1", "targetRef": pod(ip)});
            addresses.iter().map(one).collect()
        };
        let subset =
            json!({"addresses": all(ready), "notReadyAddresses": all(others), "ports": ports});
        let is_empty = ready.is_empty() && others.is_empty();
        let subsets = if is_empty { vec![] } else { vec![subset] };
        api.merge(&self.endpoints, &json!({"subsets": subsets}))?;
        Ok(())
    }
}

/// The pod at an address.
fn pod(address: &Ipv4Addr) -> Value {
    let number = address.to_bits();
    json!({
        "kind": "Pod", "namespace": USER, "name": format!("instance-{number:08x}"),
        "uid": format!("{number:08x}-0000-4000-8000-000000000000"),
    })
}
