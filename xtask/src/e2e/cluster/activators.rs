//! Activators as pods of Deployments: Knative's and ours, in any number.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::objects::{SYSTEM, items, text};
use super::{Cluster, knative};
use crate::support::process::wait_until;

/// How long activators may take to be ready, or to leave the endpoints.
const SOON: Duration = Duration::from_secs(60);
/// The label that says whose pod it is.
const LABEL: &str = "e2e-activator";

/// Whose activator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Knative,
    Ours,
}

impl Kind {
    /// Whose activator the scenes with one kind run: Knative's, or ours with `E2E_CLUSTER_ACTIVATOR=ours`.
    pub(crate) fn under_test() -> Self {
        match std::env::var("E2E_CLUSTER_ACTIVATOR").as_deref() {
            Ok("ours") => Self::Ours,
            _ => Self::Knative,
        }
    }

    /// The name of its Deployment in the scenes with both.
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

    fn image(self) -> &'static str {
        match self {
            Self::Knative => "ko://knative.dev/serving/cmd/activator",
            Self::Ours => "activator:e2e",
        }
    }
}

/// A pod that runs an activator.
#[derive(Clone, Debug)]
pub(crate) struct Activator {
    /// Its address and port for HTTP/1.1.
    pub(crate) http: SocketAddr,
    /// The same for HTTP/2 by prior knowledge.
    pub(crate) http2: SocketAddr,
}

impl Cluster {
    /// Applies a Deployment of an activator as Knative's manifest has it, but for its name, its image and more
    /// variables, and the Service in front of all activators. Waits until `replicas` are ready.
    pub(super) fn run_activators(
        &self,
        kind: Kind,
        replicas: usize,
        variables: &[(&str, &str)],
    ) -> Result<Vec<Activator>> {
        for mut object in knative::activator_manifest()? {
            if text(&object, "/kind") == "Deployment" {
                customize(&mut object, kind, replicas, variables)?;
            }
            self.api.apply(&object)?;
        }
        self.wait_for_activators(kind, replicas)
    }

    /// Replaces all pods of a Deployment, as `kubectl rollout restart` does, and waits for the new ones.
    pub(super) fn restart_activators(&self, kind: Kind, replicas: usize) -> Result<Vec<Activator>> {
        let before = self.activators(kind)?;
        let now = humantime::format_rfc3339_millis(std::time::SystemTime::now()).to_string();
        let annotations = json!({"kubectl.kubernetes.io/restartedAt": now});
        let change = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
        self.api.merge(&deployment_path(kind), &change)?;
        wait_until("the old activators are not replaced", SOON, || {
            let now = self.activators(kind)?;
            let old = |one: &Activator| before.iter().any(|old| old.http == one.http);
            Ok((now.len() == replicas && !now.iter().any(old)).then_some(now))
        })
    }

    /// Those that are ready and do not end.
    pub(super) fn activators(&self, kind: Kind) -> Result<Vec<Activator>> {
        let path = format!(
            "/api/v1/namespaces/{SYSTEM}/pods?labelSelector={LABEL}%3D{}",
            kind.name()
        );
        let pods = self.api.get(&path)?;
        let ready = |pod: &&Value| {
            let conditions = items(pod, "/status/conditions");
            let is = |condition: &Value| {
                text(condition, "/type") == "Ready" && text(condition, "/status") == "True"
            };
            conditions.iter().any(is) && pod.pointer("/metadata/deletionTimestamp").is_none()
        };
        items(&pods, "/items")
            .iter()
            .filter(ready)
            .map(activator)
            .collect()
    }

    fn wait_for_activators(&self, kind: Kind, replicas: usize) -> Result<Vec<Activator>> {
        let what = format!(
            "not {replicas} of {} are ready and in the endpoints",
            kind.name()
        );
        let mut ready = wait_until(&what, SOON, || {
            let ready = self.activators(kind)?;
            let endpoints = self.activator_endpoints()?;
            let listed = |one: &Activator| endpoints.contains(&one.http.ip().to_string());
            let settled = ready.len() == replicas && ready.iter().all(listed);
            Ok(settled.then_some(ready))
        })?;
        ready.sort_by_key(|one| one.http.ip().to_string());
        Ok(ready)
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
        Ok(addresses
            .map(|address| text(address, "/ip").to_owned())
            .collect())
    }
}

fn deployment_path(kind: Kind) -> String {
    format!(
        "/apis/apps/v1/namespaces/{SYSTEM}/deployments/{}",
        kind.name()
    )
}

fn activator(pod: &Value) -> Result<Activator> {
    let ip = text(pod, "/status/podIP");
    let at = |port: u16| format!("{ip}:{port}").parse::<SocketAddr>();
    Ok(Activator {
        http: at(8012)?,
        http2: at(8013)?,
    })
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
    let container = specification.pointer_mut("/template/spec/containers/0");
    let container = container.context("the manifest has a container")?;
    ensure!(
        container["name"] == "activator",
        "its container has another name"
    );
    container["image"] = json!(kind.image());
    let Some(environment) = container["env"].as_array_mut() else {
        bail!("the manifest has variables");
    };
    for (name, value) in variables {
        environment.push(json!({"name": name, "value": value}));
    }
    Ok(())
}
