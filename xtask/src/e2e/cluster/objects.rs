//! Kubernetes objects as JSON: where they are, those of a file, and the revisions of the scenes.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The namespace of Knative.
pub(crate) const SYSTEM: &str = "knative-serving";
/// The namespace of the scenes' revisions.
pub(crate) const USER: &str = "default";
/// An image of the application; a digest keeps Knative's controller from asking a registry for it.
pub(crate) const APPLICATION: &str =
    "dev.local/app@sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// The string at a JSON pointer, or an empty one.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The items of the list at a JSON pointer.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// Whether a pod is ready and does not end.
pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = items(pod, "/status/conditions");
    let is = |condition: &Value| {
        text(condition, "/type") == "Ready" && text(condition, "/status") == "True"
    };
    conditions.iter().any(is) && pod.pointer("/metadata/deletionTimestamp").is_none()
}

/// The API server's path of an object.
pub(crate) fn path_of(object: &Value) -> String {
    let collection = collection_of(object);
    format!("{collection}/{}", text(object, "/metadata/name"))
}

/// The API server's path of the objects of one kind and namespace.
pub(crate) fn collection_of(object: &Value) -> String {
    let version = text(object, "/apiVersion");
    let root = if version.contains('/') { "apis" } else { "api" };
    let kind = text(object, "/kind");
    let mut plural = kind.to_lowercase();
    if kind != "Endpoints" {
        plural.push('s');
    }
    let of_the_cluster = [
        "Namespace",
        "Node",
        "CustomResourceDefinition",
        "ClusterRole",
        "ClusterRoleBinding",
    ];
    if of_the_cluster.contains(&kind) {
        return format!("/{root}/{version}/{plural}");
    }
    let namespace = match text(object, "/metadata/namespace") {
        "" => USER,
        namespace => namespace,
    };
    format!("/{root}/{version}/namespaces/{namespace}/{plural}")
}

/// The documents of a YAML file.
pub(crate) fn documents(path: &Path) -> Result<Vec<Value>> {
    let file =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_saphyr::from_multiple(&file).with_context(|| format!("in {}", path.display()))
}

/// The documents of all YAML files in a folder, in the order of their names.
pub(crate) fn documents_in(folder: &Path) -> Result<Vec<Value>> {
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|name| name == "yaml"));
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        all.extend(documents(&path)?);
    }
    Ok(all)
}

/// A revision as Knative's Service and Configuration would leave it, complete, since no webhook fills it in. It starts
/// without instances.
#[derive(Clone)]
pub(crate) struct Revision {
    pub(crate) name: String,
    pub(crate) container_concurrency: u32,
    /// The name of the container's port: `http1` or `h2c`.
    pub(crate) port_name: &'static str,
    /// Annotations of autoscaling, without their domain.
    pub(crate) autoscaling: Vec<(&'static str, String)>,
    /// How long the application takes until it listens.
    pub(crate) start_delay: &'static str,
}

impl Revision {
    pub(crate) fn new(name: &str, container_concurrency: u32) -> Self {
        Self {
            name: name.to_owned(),
            container_concurrency,
            port_name: "http1",
            autoscaling: Vec::new(),
            start_delay: "",
        }
    }

    /// The name that a client asks for.
    pub(crate) fn host(&self) -> String {
        format!("{}.{USER}.example.com", self.name)
    }

    pub(crate) fn object(&self) -> Value {
        let mut annotations = json!({
            "autoscaling.knative.dev/class": "kpa.autoscaling.knative.dev",
            "autoscaling.knative.dev/window": "6s",
            "autoscaling.knative.dev/initial-scale": "0",
        });
        for (name, value) in &self.autoscaling {
            annotations[format!("autoscaling.knative.dev/{name}")] = json!(value);
        }
        json!({
            "apiVersion": "serving.knative.dev/v1", "kind": "Revision",
            "metadata": {
                "name": self.name, "namespace": USER, "annotations": annotations,
                "labels": {
                    "serving.knative.dev/service": self.name,
                    "serving.knative.dev/configuration": self.name,
                    "serving.knative.dev/routingState": "active",
                },
            },
            "spec": {
                "containerConcurrency": self.container_concurrency,
                "timeoutSeconds": 300,
                "enableServiceLinks": false,
                "containers": [{
                    "name": "user-container", "image": APPLICATION, "resources": {},
                    "env": [{"name": "START_DELAY", "value": self.start_delay}],
                    "ports": [{"name": self.port_name, "containerPort": 8080, "protocol": "TCP"}],
                    "readinessProbe": {"successThreshold": 1, "tcpSocket": {"port": 0}},
                }],
            },
        })
    }
}
