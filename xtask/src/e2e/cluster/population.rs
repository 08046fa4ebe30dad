//! Revisions without instances as Knative and Kubernetes leave them, written without either.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use serde_json::{Value, json};

use super::api::Api;
use super::objects::{APPLICATION, collection_of};

/// How many clients write.
const WRITERS: usize = 8;
const NAMESPACES: usize = 20;
const TYPE: &str = "networking.internal.knative.dev/serviceType";

/// The namespace and name of a revision.
pub(crate) fn sleeper(number: usize) -> (String, String) {
    let namespace = format!("space-{}", number % NAMESPACES);
    (namespace, format!("sleeper-{number:05}"))
}

/// Writes `count` revisions, behind whose public services the activator at `activator` stands.
pub(crate) fn populate(api: &Api, count: usize, activator: &str) -> Result<()> {
    for number in 0..NAMESPACES {
        let name = format!("space-{number}");
        api.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))?;
    }
    let next = AtomicUsize::new(0);
    let write = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            for object in objects(number, activator) {
                api.create(&collection_of(&object), &object)?;
            }
        }
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(write)).collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("a writer does not panic"))
    })
}

/// All objects of one revision.
fn objects(number: usize, activator: &str) -> [Value; 7] {
    let (namespace, name) = sleeper(number);
    let private = format!("{name}-private");
    let labels = |kind: Option<&str>| {
        let mut labels = json!({
            "app": name,
            "networking.internal.knative.dev/serverlessservice": name,
            "serving.knative.dev/revision": name,
            "serving.knative.dev/revisionUID": format!("00000000-0000-0000-0000-{number:012}"),
            "serving.knative.dev/service": name,
            "serving.knative.dev/configuration": name,
        });
        if let Some(kind) = kind {
            labels[TYPE] = json!(kind);
        }
        labels
    };
    let meta =
        |name: &str, kind| json!({"name": name, "namespace": namespace, "labels": labels(kind)});
    // As the controllers of Kubernetes name and label them.
    let slice_meta = |service: &str, kind, by: &str| {
        let mut meta = meta(&format!("{service}-x"), Some(kind));
        meta["labels"]["kubernetes.io/service-name"] = json!(service);
        meta["labels"]["endpointslice.kubernetes.io/managed-by"] = json!(by);
        meta
    };
    let outside = json!([
        {"name": "http", "port": 80, "targetPort": 8012},
        {"name": "https", "port": 443, "targetPort": 8112},
    ]);
    let inside = json!([{"name": "http", "port": 8012}, {"name": "https", "port": 8112}]);
    let settings: Vec<_> = (0..12)
        .map(|number| json!({"name": format!("SETTING_{number}"), "value": "x".repeat(40)}))
        .collect();
    [
        json!({"apiVersion": "serving.knative.dev/v1", "kind": "Revision", "metadata": meta(&name, None), "spec": {
            "containerConcurrency": number % 3 * 10, "timeoutSeconds": 300,
            "containers": [{
                "name": "user-container", "image": APPLICATION, "env": settings,
                "ports": [{"name": "http1", "containerPort": 8080}],
                "resources": {"requests": {"cpu": "100m"}},
                "readinessProbe": {"successThreshold": 1, "tcpSocket": {"port": 0}},
            }],
        }}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(&name, Some("Public")), "spec": {"ports": outside}}),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": meta(&private, Some("Private")), "spec": {
            "ports": outside, "selector": {"app": name},
        }}),
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": meta(&name, Some("Public")), "subsets": [
            {"addresses": [{"ip": activator}], "ports": inside},
        ]}),
        json!({"apiVersion": "v1", "kind": "Endpoints", "metadata": meta(&private, Some("Private"))}),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": slice_meta(&name, "Public", "endpointslicemirroring-controller.k8s.io"),
            "endpoints": [{"addresses": [activator], "conditions": {"ready": true}}], "ports": inside,
        }),
        json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": slice_meta(&private, "Private", "endpointslice-controller.k8s.io"),
            "endpoints": [], "ports": [],
        }),
    ]
}
