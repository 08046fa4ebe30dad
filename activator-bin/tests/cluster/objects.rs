//! Objects of a cluster, as Knative's controller writes them.

use serde_json::{Value, json};

pub(crate) const REVISIONS: &str = "revisions";
pub(crate) const SLICES: &str = "endpointslices";
pub(crate) const ENDPOINTS: &str = "endpoints";
pub(crate) const SERVICE_TYPE: &str = "networking.internal.knative.dev/serviceType";

pub(crate) fn revision(name: &str) -> Value {
    json!({
        "metadata": {"namespace": "default", "name": name, "labels": {
            "serving.knative.dev/service": "hello", "serving.knative.dev/configuration": "hello",
        }},
        "spec": {"containerConcurrency": 10, "timeoutSeconds": 300, "containers": [{"ports": [{"name": "http1"}]}]},
    })
}

/// A slice of the private Service of a revision, with these addresses.
pub(crate) fn slice(name: &str, revision: &str, addresses: &[&str]) -> Value {
    let endpoint = |address: &&str| json!({"addresses": [address], "conditions": {"ready": true}});
    json!({
        "metadata": labelled(name, revision),
        "addressType": "IPv4",
        "endpoints": addresses.iter().map(endpoint).collect::<Vec<_>>(),
        "ports": [{"name": "http", "port": 8012}],
    })
}

/// The same in the old form.
pub(crate) fn endpoints(name: &str, revision: &str, addresses: &[&str]) -> Value {
    let address = |address: &&str| json!({"ip": address});
    json!({
        "metadata": labelled(name, revision),
        "subsets": [{
            "addresses": addresses.iter().map(address).collect::<Vec<_>>(),
            "ports": [{"name": "http", "port": 8012}],
        }],
    })
}

fn labelled(name: &str, revision: &str) -> Value {
    json!({"namespace": "default", "name": name, "labels": {
        SERVICE_TYPE: "Private",
        "serving.knative.dev/revision": revision,
        "serving.knative.dev/revisionUID": format!("uid-of-{revision}"),
    }})
}

/// A ConfigMap of the system namespace.
pub(crate) fn config_map(name: &str, labels: Value, data: Value) -> Value {
    json!({"metadata": {"namespace": "knative-serving", "name": name, "labels": labels}, "data": data})
}
