//! Knative Serving: its types and ConfigMaps from the modules' `config` folders, its controller and its autoscaler.

use std::net::TcpStream;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::api::Api;
use super::credentials::Credentials;
use super::names::Names;
use super::network::NODE;
use super::objects::{SYSTEM, documents, documents_in, text};
use super::part::Part;
use super::programs::{module, program};
use crate::support::process::wait_until;

/// Settings of config-autoscaler that make scenes short; the grace period's least value is 6 s.
const AUTOSCALER: [(&str, &str); 2] = [
    ("allow-zero-initial-scale", "true"),
    ("scale-to-zero-grace-period", "6s"),
];
/// The autoscaler's port for statistics.
const STATS: u16 = 8080;
const START: Duration = Duration::from_secs(60);
/// The variables that Knative's manifests give to its programs.
const ENVIRONMENT: [(&str, &str); 5] = [
    ("SYSTEM_NAMESPACE", SYSTEM),
    ("CONFIG_LOGGING_NAME", "config-logging"),
    ("CONFIG_OBSERVABILITY_NAME", "config-observability"),
    ("METRICS_DOMAIN", "knative.dev/internal/serving"),
    ("KUBERNETES_MIN_VERSION", "v1.20.0"),
];

/// The two programs.
pub(crate) struct Knative {
    pub(crate) controller: Part,
    pub(crate) autoscaler: Part,
}

impl Knative {
    /// Starts both.
    pub(crate) fn start(credentials: &Arc<Credentials>, names: &Arc<Names>) -> Result<Self> {
        let start = |name: &'static str, ports: [&'static str; 2]| {
            let (files, names) = (Arc::clone(credentials), Arc::clone(names));
            Part::start(name, move || {
                // As a pod it would have the cluster's names.
                let mut command = Command::new("unshare");
                command.args(["--mount", "--propagation", "slave", "sh", "-ec"]);
                command.arg("mount --bind \"$1\" /etc/hosts; shift; exec \"$@\"");
                command.arg("sh").arg(names.hosts()).arg(program(name));
                command.arg(format!("--kubeconfig={}", files.kubeconfig().display()));
                command.envs(ENVIRONMENT);
                command.env("POD_NAME", format!("{name}-0"));
                command.env("POD_IP", NODE.to_string());
                let [metrics, profiling] = ports;
                command.env("METRICS_PROMETHEUS_PORT", metrics);
                command.env("PROFILING_PORT", profiling);
                command
            })
        };
        // The first one that asks for port 8080 has it: for stats, or for health probes of the controller, which works
        // without them.
        let autoscaler = start("autoscaler", ["9191", "8101"])?;
        wait_until("the autoscaler does not listen", START, || {
            Ok(TcpStream::connect((NODE, STATS)).ok().map(drop))
        })?;
        Ok(Self {
            controller: start("controller", ["9190", "8100"])?,
            autoscaler,
        })
    }
}

impl Drop for Knative {
    fn drop(&mut self) {
        self.autoscaler.kill();
        self.controller.kill();
    }
}

/// Applies Knative's types, roles and ConfigMaps. No webhook checks or completes what is applied here.
pub(crate) fn apply(api: &Api) -> Result<()> {
    let start = Instant::now();
    api.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}}))?;
    let serving = module("knative.dev/serving")?;
    let core = serving.join("config/core");
    let mut objects = documents_in(&core.join("300-resources"))?;
    objects.extend(documents_in(
        &module("knative.dev/networking")?.join("config"),
    )?);
    objects.extend(documents_in(
        &module("knative.dev/caching")?.join("config"),
    )?);
    objects.extend(documents(&core.join("200-serviceaccount.yaml"))?);
    objects.extend(documents_in(&core.join("200-roles"))?);
    objects.extend(documents_in(&core.join("configmaps"))?);
    for object in &mut objects {
        if text(object, "/kind") == "ConfigMap" {
            settle(object);
        }
        api.apply(object)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "Knative's {} objects are applied after {seconds:.1} s",
        objects.len()
    );
    Ok(())
}

/// All that Knative's manifests have for its activator: account, roles, Deployment and Service.
pub(crate) fn activator_manifest() -> Result<Vec<Value>> {
    let core = module("knative.dev/serving")?.join("config/core");
    let mut objects = documents(&core.join("200-serviceaccount.yaml"))?;
    objects.extend(documents(&core.join("200-roles/activator.yaml"))?);
    objects.extend(documents(&core.join("deployments/activator.yaml"))?);
    objects.retain(|object| text(object, "/metadata/name").contains("activator"));
    Ok(objects)
}

/// Gives a stock ConfigMap the settings of this cluster.
fn settle(map: &mut Value) {
    let name = text(map, "/metadata/name").to_owned();
    // The example is checked by its hash, and long.
    if let Some(annotations) = map.pointer_mut("/metadata/annotations") {
        *annotations = json!({});
    }
    if !map["data"].is_object() {
        map["data"] = json!({});
    }
    let data = &mut map["data"];
    if let Some(data) = data.as_object_mut() {
        data.remove("_example");
    }
    match &*name {
        "config-autoscaler" => {
            for (key, value) in AUTOSCALER {
                data[key] = json!(value);
            }
        }
        "config-deployment" => {
            let digest = "0".repeat(64);
            data["queue-sidecar-image"] = json!(format!("queue@sha256:{digest}"));
            data["registries-skipping-tag-resolving"] = json!("dev.local,ko.local,kind.local");
        }
        // One that was killed leads again soon.
        "config-leader-election" => {
            data["lease-duration"] = json!("6s");
            data["renew-deadline"] = json!("4s");
            data["retry-period"] = json!("1s");
        }
        // It must not be empty.
        "config-observability" => data["metrics.backend-destination"] = json!("prometheus"),
        _ => {}
    }
}
