//! Activators as pods of Deployments: Knative's and ours, in any number.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::objects::{SYSTEM, documents, is_ready, items, text};
use super::{Cluster, knative};
use crate::command::root;
use crate::support::process::wait_until;

/// How long activators may take to be ready, or to leave the endpoints.
const SOON: Duration = Duration::from_secs(60);
/// What the image of Knative's activator begins with in its manifest.
pub(crate) const FROM_KNATIVE: &str = "ko://knative.dev/";
/// A label that tells the pods of two Deployments apart.
const LABEL: &str = "e2e-activator";

/// Whose activator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Knative,
    Ours,
}

impl Kind {
    pub(crate) const BOTH: [Self; 2] = [Self::Knative, Self::Ours];

    /// Whose activator the scenes with one kind run: ours, or Knative's with `E2E_CLUSTER_ACTIVATOR=knative`, which
    /// shows what a scene asks for.
    pub(crate) fn under_test() -> Self {
        match std::env::var("E2E_CLUSTER_ACTIVATOR").as_deref() {
            Ok("knative") => Self::Knative,
            _ => Self::Ours,
        }
    }

    /// The name of its Deployment where both have one.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Knative => "activator-knative",
            Self::Ours => "activator-ours",
        }
    }

    /// Variables for a drain that scenes can wait for; Knative's always takes 45 s.
    pub(crate) fn short_drain(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Knative => &[],
            Self::Ours => &[("ACTIVATOR_DRAIN_DELAY", "3s")],
        }
    }

    /// All that is applied to install it.
    fn manifest(self) -> Result<Vec<Value>> {
        match self {
            Self::Knative => knative::activator_manifest(),
            Self::Ours => documents(&root().join("deploy/kubernetes/activator.yaml")),
        }
    }

    fn of(pod: &Value) -> Self {
        let image = text(pod, "/spec/containers/0/image");
        if image.starts_with(FROM_KNATIVE) {
            Self::Knative
        } else {
            Self::Ours
        }
    }
}

/// A pod that runs an activator.
#[derive(Clone, Debug)]
pub(crate) struct Activator {
    pub(crate) name: String,
    /// Its address and port for HTTP/1.1.
    pub(crate) http: SocketAddr,
    /// The same for HTTP/2 by prior knowledge.
    pub(crate) http2: SocketAddr,
    /// Its address and port for metrics.
    pub(crate) admin: SocketAddr,
    /// Its process.
    pub(crate) process: u32,
}

impl Cluster {
    /// Installs it as its documentation says: it takes the place of the one that is there.
    pub(super) fn install(&self, kind: Kind) -> Result<()> {
        for object in kind.manifest()? {
            self.api.apply(&object)?;
        }
        Ok(())
    }

    /// Gives the installed Deployment our image and nothing else, as `kubectl set image` does.
    pub(super) fn set_image(&self) -> Result<()> {
        let containers = json!([{"name": "activator", "image": "activator:trial"}]);
        let change = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let path = deployment_path("activator");
        self.api.merge_lists(&path, &change).map(drop)
    }

    /// Installs it under a name and an account of its own and with more variables, beside any other.
    pub(super) fn deploy_activators(
        &self,
        kind: Kind,
        replicas: usize,
        variables: &[(&str, &str)],
    ) -> Result<()> {
        for mut object in kind.manifest()? {
            match text(&object, "/kind") {
                "Deployment" => customize(&mut object, kind, replicas, variables)?,
                // They are about the Deployment under its usual name.
                "HorizontalPodAutoscaler" | "PodDisruptionBudget" => continue,
                "Service" => {}
                _ => name_apart(&mut object, kind),
            }
            self.api.apply(&object)?;
        }
        Ok(())
    }

    /// The same, and waits until all are ready.
    pub(super) fn run_activators(
        &self,
        kind: Kind,
        replicas: usize,
        variables: &[(&str, &str)],
    ) -> Result<Vec<Activator>> {
        self.deploy_activators(kind, replicas, variables)?;
        self.wait_for_activators(kind, replicas)
    }

    /// Changes how many there are, and waits until as many are ready and in the Service's endpoints.
    pub(super) fn scale_activators(&self, kind: Kind, replicas: usize) -> Result<Vec<Activator>> {
        let change = json!({"spec": {"replicas": replicas}});
        self.api.merge(&deployment_path(kind.name()), &change)?;
        self.wait_for_activators(kind, replicas)
    }

    /// Replaces all pods of a Deployment, as `kubectl rollout restart` does, and waits for the new ones.
    pub(super) fn restart_activators(&self, kind: Kind) -> Result<Vec<Activator>> {
        let before = self.activators(kind)?;
        let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
        let change = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
        self.api.merge(&deployment_path(kind.name()), &change)?;
        wait_until("the old activators are not replaced", SOON, || {
            let now = self.activators(kind)?;
            let old = |one: &Activator| before.iter().any(|old| old.name == one.name);
            Ok((now.len() == before.len() && !now.iter().any(old)).then_some(now))
        })
    }

    /// Those that are ready and do not end, in the order of their addresses as text.
    pub(super) fn activators(&self, kind: Kind) -> Result<Vec<Activator>> {
        let path = format!("/api/v1/namespaces/{SYSTEM}/pods?labelSelector=app%3Dactivator");
        let pods = self.api.get(&path)?;
        let pods = items(&pods, "/items").iter();
        let mut activators = pods
            .filter(|pod| Kind::of(pod) == kind && is_ready(pod))
            .map(|pod| self.activator(pod))
            .collect::<Result<Vec<_>>>()?;
        activators.sort_by_key(|one| one.http.ip().to_string());
        Ok(activators)
    }

    /// Waits until `replicas` of a kind are ready and in the endpoints of the Service of all activators.
    pub(super) fn wait_for_activators(
        &self,
        kind: Kind,
        replicas: usize,
    ) -> Result<Vec<Activator>> {
        let what = format!("not {replicas} of {kind:?} are ready and in the endpoints");
        wait_until(&what, SOON, || {
            let ready = self.activators(kind)?;
            let endpoints = self.activator_endpoints()?;
            let listed = |one: &Activator| endpoints.contains(&one.http.ip().to_string());
            let settled = ready.len() == replicas && ready.iter().all(listed);
            Ok(settled.then_some(ready))
        })
    }

    /// The addresses in the endpoints of the Service of all activators.
    fn activator_endpoints(&self) -> Result<Vec<String>> {
        let path = format!("/api/v1/namespaces/{SYSTEM}/endpoints");
        let all = self.api.get(&path)?;
        let of_service = items(&all, "/items")
            .iter()
            .find(|object| text(object, "/metadata/name") == "activator-service");
        let subsets = of_service.map(|object| items(object, "/subsets"));
        let addresses = subsets.unwrap_or_default().iter();
        let addresses = addresses.flat_map(|subset| items(subset, "/addresses"));
        let text_of = |address: &Value| text(address, "/ip").to_owned();
        Ok(addresses.map(text_of).collect())
    }

    fn activator(&self, pod: &Value) -> Result<Activator> {
        let ip = text(pod, "/status/podIP");
        let at = |port: u16| format!("{ip}:{port}").parse::<SocketAddr>();
        let process = self.kubelet.process_of(pod);
        Ok(Activator {
            name: text(pod, "/metadata/name").to_owned(),
            http: at(8012)?,
            http2: at(8013)?,
            admin: at(9090)?,
            process: process.context("a ready pod runs")?,
        })
    }
}

fn deployment_path(name: &str) -> String {
    format!("/apis/apps/v1/namespaces/{SYSTEM}/deployments/{name}")
}

/// Gives a service account, a role or a binding a name of its own, and those to which it refers as well.
fn name_apart(object: &mut Value, kind: Kind) {
    for pointer in ["/metadata/name", "/roleRef/name", "/subjects/0/name"] {
        if let Some(name) = object.pointer_mut(pointer) {
            *name = json!(apart(name, kind));
        }
    }
}

fn apart(name: &Value, kind: Kind) -> String {
    format!("{}-of-{}", name.as_str().unwrap_or_default(), kind.name())
}

fn customize(
    deployment: &mut Value,
    kind: Kind,
    replicas: usize,
    variables: &[(&str, &str)],
) -> Result<()> {
    deployment["metadata"]["name"] = json!(kind.name());
    let specification = &mut deployment["spec"];
    specification["replicas"] = json!(replicas);
    specification["selector"]["matchLabels"][LABEL] = json!(kind.name());
    specification["template"]["metadata"]["labels"][LABEL] = json!(kind.name());
    let account = &mut specification["template"]["spec"]["serviceAccountName"];
    *account = json!(apart(account, kind));
    let container = specification.pointer_mut("/template/spec/containers/0");
    let container = container.context("the manifest has a container")?;
    ensure!(
        container["name"] == "activator",
        "its container has another name"
    );
    let environment = container["env"].as_array_mut();
    let environment = environment.context("the manifest has variables")?;
    for (name, value) in variables {
        environment.push(json!({"name": name, "value": value}));
    }
    Ok(())
}
