//! What an activator reads in a cluster, and what for.

use serde_json::{Value as Json, json};

/// Objects of one kind, and what is done with them.
pub(super) struct Right {
    group: &'static str,
    resource: &'static str,
    pub(super) verbs: &'static [&'static str],
    /// Whether only those in the system namespace are read.
    is_in_namespace: bool,
    /// The only one that is read.
    name: Option<&'static str>,
    pub(super) need: Need,
}

/// What objects are read for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing works without them.
    Always,
    /// The addresses of instances; Endpoints have them as well.
    Addresses,
    /// The addresses of instances, if EndpointSlices may not be read.
    OlderAddresses,
    /// Clusters with a service mesh.
    Mesh,
    /// TLS between the parts of Knative.
    Tls,
}

const LIST: &[&str] = &["list", "watch"];

/// All that is read.
pub(super) const RIGHTS: &[Right] = &[
    Right {
        group: "serving.knative.dev",
        resource: "revisions",
        verbs: LIST,
        is_in_namespace: false,
        name: None,
        need: Need::Always,
    },
    Right {
        group: "discovery.k8s.io",
        resource: "endpointslices",
        verbs: LIST,
        is_in_namespace: false,
        name: None,
        need: Need::Addresses,
    },
    Right {
        group: "",
        resource: "endpoints",
        verbs: LIST,
        is_in_namespace: false,
        name: None,
        need: Need::OlderAddresses,
    },
    Right {
        group: "",
        resource: "services",
        verbs: &["get"],
        is_in_namespace: false,
        name: None,
        need: Need::Mesh,
    },
    Right {
        group: "",
        resource: "configmaps",
        verbs: LIST,
        is_in_namespace: true,
        name: None,
        need: Need::Always,
    },
    Right {
        group: "",
        resource: "secrets",
        verbs: LIST,
        is_in_namespace: true,
        name: Some(super::CERTIFICATE),
        need: Need::Tls,
    },
];

impl Right {
    /// What a SelfSubjectAccessReview asks. `namespace` is the system namespace.
    pub(super) fn attributes(&self, namespace: &str, verb: &str) -> Json {
        let mut attributes =
            json!({ "group": self.group, "resource": self.resource, "verb": verb });
        if self.is_in_namespace {
            attributes["namespace"] = namespace.into();
        }
        if let Some(name) = self.name {
            attributes["name"] = name.into();
        }
        attributes
    }

    /// The objects in words.
    pub(super) fn objects(&self, namespace: &str) -> String {
        let Self {
            group, resource, ..
        } = self;
        let dot = if group.is_empty() { "" } else { "." };
        let objects = format!("{resource}{dot}{group}");
        match (self.name, self.is_in_namespace) {
            (Some(name), _) => format!("{objects} named {name} in {namespace}"),
            (None, true) => format!("{objects} in {namespace}"),
            (None, false) => format!("{objects} in all namespaces"),
        }
    }
}
