//! The objects of a cluster, with only the fields that are used: nothing else is kept, or allocated for.
//!
//! Each field is [`Lenient`]: an object with something unexpected in it can be read, as well as those beside it.

use std::net::IpAddr;

use serde::Deserialize;

mod field;
mod lenient;

pub(crate) use field::{Present, Text, Uid};
pub(crate) use lenient::{Lenient, List};

/// What all objects have.
pub(crate) trait Object {
    /// The group of its API; empty for the core.
    const GROUP: &'static str;
    const VERSION: &'static str;
    const KIND: &'static str;
    const PLURAL: &'static str;

    fn metadata(&self) -> &Lenient<Metadata>;

    /// Empty if it is missing or bad.
    fn namespace(&self) -> &str {
        text(self.metadata(), |it| &it.namespace)
    }

    /// Empty if it is missing or bad.
    fn name(&self) -> &str {
        text(self.metadata(), |it| &it.name)
    }

    /// Empty if it is missing or bad.
    fn resource_version(&self) -> &str {
        text(self.metadata(), |it| &it.resource_version)
    }

    /// All as missing if there are none.
    fn label(&self, label: impl FnOnce(&Labels) -> &Lenient<Text>) -> Lenient<Text> {
        let labels = self.metadata().value().and_then(|it| it.labels.value());
        labels.map_or(Lenient::Missing, |it| label(it).clone())
    }
}

fn text(metadata: &Lenient<Metadata>, field: impl FnOnce(&Metadata) -> &Lenient<Text>) -> &str {
    let text = metadata.value().and_then(|it| field(it).value());
    text.map_or("", |it| it)
}

macro_rules! object {
    ($type:ident: $group:literal $version:literal $plural:literal) => {
        impl Object for $type {
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = stringify!($type);
            const PLURAL: &'static str = $plural;

            fn metadata(&self) -> &Lenient<Metadata> {
                &self.metadata
            }
        }
    };
}

object!(Revision: "serving.knative.dev" "v1" "revisions");
object!(EndpointSlice: "discovery.k8s.io" "v1" "endpointslices");
object!(Endpoints: "" "v1" "endpoints");
object!(Service: "" "v1" "services");

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) namespace: Lenient<Text>,
    pub(crate) name: Lenient<Text>,
    pub(crate) resource_version: Lenient<Text>,
    pub(crate) labels: Lenient<Labels>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Labels {
    #[serde(rename = "serving.knative.dev/revision")]
    pub(crate) revision: Lenient<Text>,
    #[serde(rename = "serving.knative.dev/revisionUID")]
    pub(crate) revision_uid: Lenient<Text>,
    #[serde(rename = "serving.knative.dev/service")]
    pub(crate) service: Lenient<Text>,
    #[serde(rename = "serving.knative.dev/configuration")]
    pub(crate) configuration: Lenient<Text>,
    #[serde(rename = "networking.internal.knative.dev/serviceType")]
    pub(crate) service_type: Lenient<Text>,
}

/// A revision of Knative.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Revision {
    metadata: Lenient<Metadata>,
    pub(crate) spec: Lenient<RevisionFields>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct RevisionFields {
    pub(crate) container_concurrency: Lenient<i64>,
    pub(crate) timeout_seconds: Lenient<i64>,
    pub(crate) response_start_timeout_seconds: Lenient<i64>,
    pub(crate) idle_timeout_seconds: Lenient<i64>,
    pub(crate) containers: List<Container>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Container {
    pub(crate) ports: List<Named>,
    pub(crate) readiness_probe: Lenient<ReadinessProbe>,
    pub(crate) startup_probe: Lenient<Present>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) name: Lenient<Text>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ReadinessProbe {
    pub(crate) exec: Lenient<Present>,
}

/// Some of the addresses of a Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointSlice {
    metadata: Lenient<Metadata>,
    pub(crate) endpoints: List<Endpoint>,
    pub(crate) ports: List<Port>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Endpoint {
    pub(crate) addresses: List<IpAddr>,
    pub(crate) conditions: Lenient<Conditions>,
    pub(crate) target_ref: Lenient<TargetRef>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Conditions {
    pub(crate) ready: Lenient<bool>,
    pub(crate) terminating: Lenient<bool>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TargetRef {
    pub(crate) uid: Lenient<Uid>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Port {
    pub(crate) name: Lenient<Text>,
    pub(crate) port: Lenient<u16>,
}

/// All addresses of a Service, in the old form.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Endpoints {
    metadata: Lenient<Metadata>,
    pub(crate) subsets: List<Subset>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Subset {
    pub(crate) addresses: List<Address>,
    pub(crate) not_ready_addresses: List<Address>,
    pub(crate) ports: List<Port>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Address {
    pub(crate) ip: Lenient<IpAddr>,
    pub(crate) target_ref: Lenient<TargetRef>,
}

/// A Service of Kubernetes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    metadata: Lenient<Metadata>,
    pub(crate) spec: Lenient<ServiceFields>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ServiceFields {
    #[serde(rename = "clusterIP")]
    pub(crate) cluster_ip: Lenient<Text>,
    pub(crate) ports: List<Port>,
}
